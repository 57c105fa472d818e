"""Causes of single errors: named only where a lever mends far more than it breaks."""

import numpy as np
import polars as pl
import pytest

from deepsight.core.evidence import Table
from deepsight.interpret.error_analysis.causes import Detectors, ledger_table
from deepsight.interpret.levers.error_causes import (
    NAMED,
    SYSTEMATIC,
    UNDECIDED,
    lever_errors_table,
    local_fdr,
    resisting_errors,
)
from deepsight.interpret.levers.ledger import UNTRIED, ledger_shares_with_levers, ledger_with_levers
from deepsight.interpret.levers.levers_table import HARMS, HELPS, NOTHING, discovery_rates, levers_table
from deepsight.interpret.levers.net_effect import net_effect
from made_levers import examined_of, outcome_of

CLASSES = ("cat", "dog", "bird")


def test_a_lever_that_only_mends_is_believed_and_churn_is_not() -> None:
    examined = examined_of(right=[0] * 40 + [1] * 160)
    mends, churns = np.zeros((2, 1, 200))
    mends[0, :20], mends[0, 40:] = 1, 1
    churns[0, :20], churns[0, 60:] = 1, 1  # breaks as many as it mends
    assert (local_fdr(outcome_of(examined, mends))[:20] <= NAMED).all()
    assert (local_fdr(outcome_of(examined, churns))[:20] > NAMED).all()
    assert (local_fdr(outcome_of(examined, mends))[20:] == 1).all()


def test_the_rate_falls_with_the_strength() -> None:
    examined = examined_of(right=[0] * 100 + [1] * 400)
    strength = np.zeros(500)
    strength[:50], strength[50:100] = 1.0, 0.5
    strength[100:104], strength[104:154] = -1.0, -0.5
    found = local_fdr(outcome_of(examined, np.zeros((1, 500)), strength=strength))
    assert found[0] < NAMED < found[60]


def test_the_true_rate_is_at_most_what_is_claimed() -> None:
    """Half of the errors are truly mended; a tenth of all images flip by chance."""
    rng = np.random.default_rng(0)
    false, named = 0, 0
    for _ in range(20):
        examined = examined_of(right=[0] * 300 + [1] * 1200)
        own = np.where(examined.wrong, 0.0, 1.0)
        flipped = rng.random(1500) < 0.04
        arm = np.where(flipped, 1 - own, own)
        truly = np.zeros(1500, dtype=bool)
        truly[:150] = True
        arm[truly] = 1
        rate = local_fdr(outcome_of(examined, arm[None]))
        chosen = rate <= 0.3
        false += int((chosen & ~truly).sum())
        named += int(chosen.sum())
    assert named > 0
    assert false / named <= 0.3


def table_of_errors() -> tuple[Table, Table]:
    examined = examined_of(right=[0] * 60 + [1] * 240)
    views, luck = np.zeros((2, 1, 300))
    views[0, :20], views[0, 60:] = 1, 1
    luck[0, 20:30], luck[0, 75:] = 1, 1
    outcomes = [
        outcome_of(examined, views, name="average over views", evidence=("seen",) * 300),
        outcome_of(examined, luck, name="class priors", group="decision"),
    ]
    errors = lever_errors_table(outcomes, examined, np.arange(300) + 1000, CLASSES)
    labels, predicted = examined.labels, examined.predicted
    suspected = np.zeros(300)
    suspected[0] = 0.9
    ledger = ledger_table(labels, predicted, CLASSES, np.arange(300) + 1000, Detectors(label_error=suspected))
    return ledger, errors


def test_the_ledger_keeps_faults_of_the_data_first_and_names_the_rest() -> None:
    ledger, errors = table_of_errors()
    merged = ledger_with_levers(ledger, errors).frame
    assert merged["cause"][0] == "label error"
    assert merged["causes"][0].to_list() == ["label error", "fragile answer"]
    assert merged["cause"][1] == "fragile answer"
    assert merged["cause"][25] == UNDECIDED
    assert merged["cause"][45] == SYSTEMATIC
    assert merged["evidence"][1].to_list()[0] == "average over views: seen"
    assert resisting_errors(errors) == 0.5


def test_shares_sum_to_one_and_divide_an_error_among_its_causes() -> None:
    ledger, errors = table_of_errors()
    shares = ledger_shares_with_levers(ledger_with_levers(ledger, errors)).frame
    by_name = dict(shares.select("cause", "share").rows())
    assert abs(sum(by_name.values()) - 1) < 1e-9
    assert abs(by_name["label error"] - 0.5 / 60) < 1e-9


def test_errors_that_no_lever_examined_are_said_to_be_untried() -> None:
    ledger, errors = table_of_errors()
    few = Table(errors.frame.filter(pl.col("index") < 1010), errors.units, 10, "m", "c")
    merged = ledger_with_levers(ledger, few).frame
    assert merged["cause"][50] == UNTRIED
    assert merged["resists"][50] is None


def test_the_table_of_levers_has_verdicts_and_a_sentence() -> None:
    examined = examined_of(right=[0] * 100 + [1] * 400)
    own = np.where(examined.wrong, 0.0, 1.0)[None]
    good, bad = own.copy(), own.copy()
    good[0, :50], bad[0, 100:180] = 1, 0
    outcomes = [
        outcome_of(examined, good, name="good"),
        outcome_of(examined, bad, name="bad"),
        outcome_of(examined, own, name="idle"),
        outcome_of(examined, own, name="placebo", group="placebo"),
    ]
    table = levers_table(outcomes, examined, 0.41)
    assert table.frame["name"].to_list() == ["good", "idle", "bad", "placebo"]
    assert table.frame["verdict"].to_list() == [HELPS, NOTHING, HARMS, NOTHING]
    assert table.caption.startswith("Good would fix 50 ±")
    assert "41 ±" in table.caption
    assert "resist every lever" in table.caption
    all_resist = levers_table(outcomes, examined, 1.0).caption
    assert "; 100 % (" in all_resist
    assert " to 100) of the errors resist every lever" in all_resist


def test_a_lever_that_changed_nothing_makes_no_other_harder_to_prove() -> None:
    examined = examined_of([1] * 80 + [0] * 20)
    arm = examined.right(examined.logits).astype(float)
    arm[80:90] = 1.0  # mends ten errors
    helps = net_effect(outcome_of(examined, arm[None]))
    nothing = net_effect(outcome_of(examined, examined.right(examined.logits).astype(float)[None]))
    assert discovery_rates([helps]) == pytest.approx([helps.p_value])
    assert discovery_rates([helps, nothing, nothing]) == pytest.approx([helps.p_value, 1, 1])
    assert discovery_rates([helps, helps]) == pytest.approx([helps.p_value] * 2)
