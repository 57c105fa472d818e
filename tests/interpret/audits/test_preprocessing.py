"""A planted gain is found and named, a difference by chance is not."""

import numpy as np
import pytest

from deepsight.core.evidence import Evidence
from deepsight.interpret.audits.preprocessing import audit_preprocessing

K, N = 5, 500
LABELS = np.arange(N) % K


def answers(share_right: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(N) < share_right, LABELS, (LABELS + 1) % K)


def test_swapped_channels_are_found() -> None:
    tried = {
        "as documented": answers(0.7, 0),
        "pixels 0 to 1": answers(0.3, 1),
        "BGR": answers(0.85, 2),
    }
    audit = audit_preprocessing(tried, LABELS, K, documented=True)
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
    audit = audit_preprocessing(tried, LABELS, K, documented=True)
    assert (audit.choice, audit.warning) == ("variant 0", None)


def test_without_documentation_the_best_is_taken() -> None:
    tried = {"a": answers(0.7, 0), "b": answers(0.9, 1)}
    audit = audit_preprocessing(tried, LABELS, K, documented=False)
    assert (audit.choice, audit.warning) == ("b", None)
    assert "scores highest of those tried" in audit.table.caption


def test_equal_scores_are_said_to_be_equal() -> None:
    tried = {"a": answers(0.9, 0), "b": answers(0.9, 0), "c": answers(0.7, 1)}
    audit = audit_preprocessing(tried, LABELS, K, documented=False)
    assert audit.choice == "a"
    assert "1 of the others tried scores the same" in audit.table.caption
