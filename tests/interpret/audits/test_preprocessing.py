"""A planted gain is found and named, a difference by chance is not."""

import numpy as np
import pytest

from deepsight.core.evidence import Evidence
from deepsight.interpret.audits.preprocessing import audit_preprocessing

K, N = 5, 500
LABELS = np.arange(N) % K
OTHERS = (LABELS + 1) % K


def answers(share_right: float, seed: int) -> np.ndarray:
    """Equally sure logits of which this share names the label."""
    rng = np.random.default_rng(seed)
    return 3 * np.eye(K)[np.where(rng.random(N) < share_right, LABELS, OTHERS)]


def sure_where_right(*, sure: bool) -> np.ndarray:
    """Nine of ten answers are right: those are surer than the wrong ones, or less sure."""
    right = np.arange(N) % 10 > 0
    sureness = np.where(right == sure, 4.0, 1.0)
    return sureness[:, None] * np.eye(K)[np.where(right, LABELS, OTHERS)]


def test_swapped_channels_are_found() -> None:
    tried = {
        "as documented": answers(0.7, 0),
        "pixels 0 to 1": answers(0.3, 1),
        "BGR": answers(0.85, 2),
    }
    audit = audit_preprocessing(tried, LABELS, documented=True)
    assert audit.choice == "BGR"
    assert audit.warning is not None
    gain = 100 * audit.table.frame.filter(preprocessing="BGR")["difference"][0]
    assert audit.warning.startswith(f"With BGR it gains {gain:.1f} points of macro-F1 (")
    assert "your channels are probably swapped" in audit.warning
    frame = Evidence({"preprocessing_audit": audit.table})["preprocessing_audit"].frame
    row = frame.filter(preprocessing="BGR").row(0, named=True)
    assert row["ci_low"] > 0
    assert frame["chosen"].to_list() == [False, False, True]


@pytest.mark.parametrize("seed", range(5))
def test_a_difference_by_chance_changes_nothing(seed: int) -> None:
    tried = {f"variant {i}": answers(0.7, 10 * seed + i) for i in range(6)}
    audit = audit_preprocessing(tried, LABELS, documented=True)
    assert (audit.choice, audit.warning) == ("variant 0", None)


def test_without_documentation_the_best_is_taken() -> None:
    tried = {"a": answers(0.7, 0), "b": answers(0.9, 1)}
    audit = audit_preprocessing(tried, LABELS, documented=False)
    assert (audit.choice, audit.warning) == ("b", None)
    assert "under which the labels are most probable of those tried" in audit.table.caption


def test_among_equally_many_right_answers_the_surer_are_taken() -> None:
    tried = {"a": sure_where_right(sure=False), "b": sure_where_right(sure=True)}
    audit = audit_preprocessing(tried, LABELS, documented=False)
    scores = audit.table.frame["macro_f1"]
    assert scores[0] == scores[1]
    assert audit.choice == "b"
    assert "cannot tell them apart" not in audit.table.caption


def test_one_image_of_a_rare_class_does_not_decide() -> None:
    """Its F1 is a third of macro-F1, which made a published classifier take the wrong scaling."""
    labels = np.repeat([0, 1, 2], [6, 5, 1])
    rare_wrong, rare_right = labels.copy(), labels.copy()
    rare_wrong[-1] = 0
    rare_right[[0, 6, 7]] = [1, 0, 0]
    tried = {"a": 3 * np.eye(3)[rare_right], "b": 3 * np.eye(3)[rare_wrong]}
    audit = audit_preprocessing(tried, labels, documented=False)
    scores = audit.table.frame["macro_f1"]
    assert scores[0] > scores[1]
    assert audit.choice == "b"


@pytest.mark.parametrize("factor", [1.0, 0.01, 40.0])
def test_equal_answers_are_said_to_be_equal(factor: float) -> None:
    """How sure the model is of all its answers together does not count."""
    same = answers(0.9, 0)
    audit = audit_preprocessing(
        {"a": same, "b": factor * same, "c": answers(0.7, 1)}, LABELS, documented=False
    )
    assert audit.choice == "a"
    assert "1 of the others tried makes the labels as probable" in audit.table.caption
    assert "these images cannot tell them apart" in audit.table.caption
