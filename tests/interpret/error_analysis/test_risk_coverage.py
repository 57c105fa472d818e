"""The risk-coverage curve against a slow definition, and thresholds that keep what they promise."""

import numpy as np
import pytest

from deepsight.interpret.error_analysis.risk_coverage import risk_coverage_area, threshold_for_accuracy


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
