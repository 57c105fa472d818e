"""The risk-coverage curve against a slow definition, and thresholds that keep what they promise."""

import numpy as np
import pytest

from deepsight.interpret.error_analysis.risk_coverage import (
    area_interval,
    rejection_tables,
    risk_coverage_area,
    threshold_for_accuracy,
)


def test_the_area_is_the_mean_risk_over_coverages() -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.random(50), rng.random(50) < 0.7
    order = sorted(range(50), key=lambda i: -confidence[i])
    slow = np.mean([np.mean([not correct[i] for i in order[:k]]) for k in range(1, 51)])
    assert risk_coverage_area(confidence, correct) == pytest.approx(slow)
    assert risk_coverage_area(confidence, np.ones(50, bool)) == 0


def test_the_threshold_keeps_as_many_as_reach_the_target() -> None:
    confidence = np.array([0.9, 0.8, 0.8, 0.6, 0.5])
    correct = np.array([True, True, False, True, False])
    assert threshold_for_accuracy(confidence, correct, 1.0) == 0.9
    assert threshold_for_accuracy(confidence, correct, 0.75) == 0.6
    assert threshold_for_accuracy(confidence, correct, 0.6) == 0.5
    assert threshold_for_accuracy(confidence, np.zeros(5, bool), 0.5) is None


def test_the_tables_say_what_thresholds_from_validation_do_on_test() -> None:
    rng = np.random.default_rng(1)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        """Logits whose margin tells how often they are right."""
        labels = rng.integers(3, size=n)
        logits = rng.normal(size=(n, 3)) + rng.gamma(2, 1.5, size=(n, 1)) * np.eye(3)[labels]
        return logits, labels

    tables = rejection_tables(*drawn(3000), *drawn(3000))
    curve, thresholds = tables["risk_coverage"].frame, tables["rejection"].frame
    assert curve["coverage"][-1] == 1
    assert curve["error_rate"].diff().min() > -0.005
    for row in thresholds.iter_rows(named=True):
        assert row["ci_low"] <= row["aimed_accuracy"] <= row["ci_high"]
        kept = curve.filter(curve["coverage"] <= row["coverage"])["threshold"]
        assert kept.min() >= row["threshold"]
    assert "(AURC; 0 is best) on 3,000 test images" in tables["risk_coverage"].caption


def test_no_threshold_is_said_where_none_reaches_the_target() -> None:
    labels = np.tile([0, 1], 20)
    logits = np.tile([0.1, 0.0], (40, 1))
    table = rejection_tables(logits, labels, logits, labels)["rejection"]
    assert table.frame["threshold"].null_count() == 2
    assert "No threshold reaches" in table.caption


def test_the_area_lies_in_its_interval() -> None:
    rng = np.random.default_rng(2)
    confidence = rng.random(400)
    area = area_interval(confidence, rng.random(400) < confidence)
    assert area.low < area.value < area.high
    assert area.value == pytest.approx(1 / 6, abs=0.08)  # the mean of (1 - c)^2 ... over coverages
