"""Calibration error and temperature against other implementations and models whose truth is known."""

import numpy as np
import polars as pl
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from deepsight.core.errors import DeepSightError
from deepsight.interpret.error_analysis.calibration import (
    calibration_error,
    calibration_summary_table,
    calibration_table,
    confidence_and_correct,
    debiased_error,
    error_interval,
    fit_temperature,
    folded_normal_mean,
)


def honest(n: int, seed: int, temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax(logits / temperature) is the very distribution of the labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 5)) * 2
    edges = softmax(logits, axis=1).cumsum(axis=1)
    labels = np.minimum((rng.random((n, 1)) > edges).sum(axis=1), 4)
    return logits * temperature, labels


def value(table: pl.DataFrame, stage: str, quantity: str) -> float:
    return float(table.filter(stage=stage, quantity=quantity)["value"][0])


def test_bins_are_those_of_scikit_learn() -> None:
    logits, labels = honest(2000, 0)
    probabilities = softmax(logits, axis=1)
    frame = calibration_table(probabilities, labels, bins=10).frame.filter(pl.col("n") > 0)
    correct = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(correct, probabilities.max(axis=1), n_bins=10)
    assert frame["accuracy"].to_list() == pytest.approx(list(accuracy))
    assert frame["confidence"].to_list() == pytest.approx(list(confidence))
    assert frame["n"].sum() == 2000


def test_empty_bins_are_null_and_certainty_has_a_place() -> None:
    frame = calibration_table(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0])).frame
    assert frame["n"].to_list() == [0] * 14 + [2]
    assert frame["accuracy"].to_list() == [None] * 14 + [0.5]


def test_calibration_error_is_the_weighted_gap() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    correct = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    assert calibration_error(confidence, correct, bins=15) == pytest.approx((4 * 0.15 + 2 * 0.1) / 6)


def test_debiasing_takes_away_what_chance_adds() -> None:
    """An honest model has no calibration error; the plain estimate says otherwise."""
    plain, debiased = [], []
    for seed in range(30):
        logits, labels = honest(500, seed)
        gaps = confidence_and_correct(softmax(logits, axis=1), labels)
        plain.append(calibration_error(*gaps, bins=15))
        debiased.append(debiased_error(*gaps, bins=15))
    assert np.mean(debiased) < 0.7 * np.mean(plain)


def test_the_folded_normal_mean_agrees_with_draws() -> None:
    drawn = np.abs(np.random.default_rng(0).normal(0.3, 0.5, 400_000)).mean()
    assert folded_normal_mean(np.array([0.3]), np.array([0.5]))[0] == pytest.approx(drawn, abs=0.003)
    assert folded_normal_mean(np.array([-0.2]), np.array([0.0]))[0] == pytest.approx(0.2)


def test_the_interval_covers_the_true_error() -> None:
    """Logits twice too large; the truth is that of a million images. Below 33 of 40 is 1 in 500."""
    many, given = honest(200_000, 99, temperature=2.0)
    truth = calibration_error(*confidence_and_correct(softmax(many, axis=1), given), bins=15)
    held = 0
    for seed in range(40):
        logits, labels = honest(1000, seed, temperature=2.0)
        gaps = confidence_and_correct(softmax(logits, axis=1), labels)
        low, high = error_interval(*gaps, bins=15, draws=200, level=0.95, seed=0)
        held += low <= truth <= high
    assert held >= 33


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(*honest(5000, 1, temperature)) == pytest.approx(temperature, rel=0.08)


def test_temperature_mends_a_model_that_is_too_sure() -> None:
    logits, labels = honest(4000, 2, temperature=3.0)
    table = calibration_summary_table(
        logits[:2000], labels[:2000], logits[2000:], labels[2000:], draws=50, seed=0
    ).frame
    for quantity in ("ece", "ece_debiased", "nll"):
        assert value(table, "after temperature", quantity) < value(table, "as given", quantity)
    assert value(table, "as given", "nll") == pytest.approx(
        log_loss(labels[:2000], softmax(logits[:2000], axis=1))
    )


def test_no_validation_images_are_refused() -> None:
    with pytest.raises(DeepSightError, match="validation images"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
