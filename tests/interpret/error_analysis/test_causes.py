"""Every error has exactly one cause, in the order of precedence, and the shares sum to one."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepsight.core.errors import DeepSightError
from deepsight.interpret.error_analysis.cause_shares import ledger_shares_table
from deepsight.interpret.error_analysis.causes import (
    CAUSES,
    Detectors,
    ledger_table,
    pair_support,
)
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table

CLASSES = ("a", "b", "c")
LABELS = np.array([0, 0, 1, 1, 2, 2, 0, 1])
PREDICTED = np.array([0, 1, 2, 0, 1, 0, 2, 1])
IDS = np.arange(8) + 100
ERRORS = [101, 102, 103, 104, 105, 106]


def support(**of: float) -> np.ndarray:
    """Support for the images of these rows, such as `i1=0.9`; 0 for the others."""
    values = np.zeros(8)
    for row, value in of.items():
        values[int(row[1:])] = value
    return values


def causes(detectors: Detectors) -> dict[int, str]:
    frame = ledger_table(LABELS, PREDICTED, CLASSES, IDS, detectors).frame
    return dict(frame.select("index", "cause").rows())


def test_planted_causes_are_each_found() -> None:
    found = causes(
        Detectors(
            twins=support(i1=1.0),
            label_error=support(i2=0.9),
            ambiguity=support(i3=0.7),
            degraded=support(i4=0.6),
            background=support(i5=0.5),
        )
    )
    assert found == dict(
        zip(
            ERRORS,
            [
                "conflicting labels of one picture",
                "label error",
                "ambiguous image",
                "degraded image",
                "background reliance",
                "model error",
            ],
            strict=True,
        )
    )


def test_precedence_beats_strength() -> None:
    assert causes(Detectors(label_error=support(i1=0.6), background=support(i1=0.99)))[101] == "label error"
    assert (
        causes(Detectors(label_error=support(i1=0.4), background=support(i1=0.99)))[101]
        == "background reliance"
    )


def test_without_detectors_all_are_model_errors_and_this_is_said() -> None:
    table = ledger_table(LABELS, PREDICTED, CLASSES, IDS, Detectors())
    assert table.frame["index"].to_list() == ERRORS
    assert set(table.frame["cause"]) == {"model error"}
    assert table.frame["support"].to_list() == [1.0] * 6
    assert all(len(blind) == 6 for blind in table.frame["not_examined"])
    assert (
        "Not examined: conflicting labels of one picture, label error" in ledger_shares_table(table).caption
    )


def test_an_image_that_could_not_be_examined_is_marked() -> None:
    background = support(i1=0.9)
    background[2] = np.nan
    table = ledger_table(LABELS, PREDICTED, CLASSES, IDS, Detectors(background=background))
    blind = dict(table.frame.select("index", "not_examined").rows())
    assert "background reliance" in blind[102]
    assert "background reliance" not in blind[101]
    parts = dict(table.frame.select("index", "parts").rows())
    assert parts[101] == pytest.approx([0, 0, 0, 0, 0.9, 0, 0.1])
    assert parts[102] == [0, 0, 0, 0, None, None, None]
    shares = ledger_shares_table(table).frame.filter(cause="background reliance")
    assert shares["examined"][0] == pytest.approx(5 / 6)


def test_a_reason_says_whether_the_model_was_taught_the_other_label() -> None:
    for kept, word in ((False, "one of the two is wrong"), (True, "was taught the other answer")):
        detectors = Detectors(twins=support(i1=1.0), leaks_kept=kept)
        frame = ledger_table(LABELS, PREDICTED, CLASSES, IDS, detectors).frame
        assert word in frame.filter(cause="conflicting labels of one picture")["because"][0]


def test_a_perfect_model_has_an_empty_ledger() -> None:
    table = ledger_table(LABELS, LABELS, CLASSES, IDS, Detectors(twins=support(i1=1.0)))
    assert len(table.frame) == 0
    assert ledger_shares_table(table).caption == "There is no error to explain."


def test_pair_support_is_the_share_that_chance_does_not_explain() -> None:
    rng = np.random.default_rng(0)
    names = tuple("abcdef")
    labels = rng.integers(6, size=3000)
    predicted = np.where((labels == 0) & (rng.random(3000) < 0.3), 1, labels)
    predicted = np.where(rng.random(3000) < 0.1, rng.integers(6, size=3000), predicted)
    pairs = confusion_pairs_table(labels, predicted, names).frame
    values = pair_support(labels, predicted, names, pairs)
    row = pairs.row(by_predicate=(pl.col("true") == "a") & (pl.col("predicted") == "b"), named=True)
    chosen = (labels == 0) & (predicted == 1)
    assert row["flagged"]
    assert values[chosen] == pytest.approx(1 - row["expected"] / row["rate"])
    assert (values[labels == predicted] == 0).all()


@pytest.mark.parametrize("fault", [{"twins": np.full(8, 1.2)}, {"pairs": np.full(8, -0.1)}])
def test_impossible_supports_are_refused(fault: dict[str, object]) -> None:
    with pytest.raises(DeepSightError, match="Expected"):
        Detectors(**fault)  # type: ignore[arg-type]


def test_supports_of_another_length_are_refused() -> None:
    with pytest.raises(DeepSightError, match="8 test images"):
        ledger_table(LABELS, PREDICTED, CLASSES, IDS, Detectors(twins=np.zeros(7)))
    with pytest.raises(DeepSightError, match="for each test image"):
        Detectors(twins=np.zeros(7), ambiguity=np.zeros(8))


supports = st.none() | st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=8, max_size=8).map(np.array)


@pytest.mark.slow
@settings(deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(CAUSES, supports)))
def test_shares_sum_to_one_whatever_the_detectors_say(given_support: dict[str, np.ndarray | None]) -> None:
    table = ledger_table(LABELS, PREDICTED, CLASSES, IDS, Detectors(**given_support))
    shares = ledger_shares_table(table).frame
    assert len(table.frame) == 6
    assert table.frame["index"].is_unique().all()
    assert shares["share"].sum() == pytest.approx(1)
    assert table.frame["support"].is_between(0, 1).all()
    assert ((shares["ci_low"] <= shares["share"]) & (shares["share"] <= shares["ci_high"])).all()


def test_the_sentence_names_the_largest_share_first() -> None:
    table = ledger_table(LABELS, PREDICTED, CLASSES, IDS, Detectors(label_error=support(i1=0.9, i2=0.9)))
    assert ledger_shares_table(table).caption.startswith("Of the errors: 70% model error, 30% label error.")
