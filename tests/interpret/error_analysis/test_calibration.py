"""Calibration error and temperature against other implementations and models whose truth is known."""

import numpy as np
import polars as pl
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from deepsight.core.errors import DeepSightError
from deepsight.interpret.error_analysis.calibration import (
    calibrating_temperature,
    calibration_error,
    calibration_summary_table,
    calibration_table,
    confidence_and_correct,
    consistency_test,
    fit_temperature,
    rms_error,
    squared_error,
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


def stated(n: int, seed: int, temperature: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and correctness of a model whose logits are this many times too large."""
    logits, labels = honest(n, seed, temperature)
    return confidence_and_correct(softmax(logits, axis=1), labels)


def test_the_squared_error_is_unbiased_where_the_plain_one_is_not() -> None:
    """An honest model has no calibration error; the plain estimate says otherwise."""
    found = [squared_error(*stated(500, seed), bins=15)[0] for seed in range(60)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(60)
    plain = [calibration_error(*stated(500, seed), bins=15) for seed in range(20)]
    assert np.mean(plain) > 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("n", "temperature"), [(200, 1.0), (2000, 1.0), (200, 2.0), (2000, 2.0)])
def test_the_interval_covers_the_true_error(n: int, temperature: float) -> None:
    """The truth is that of 200,000 images, or 0. Fewer than 88 of 100 has a chance of about 1 in 500."""
    many = squared_error(*stated(200_000, 99, temperature), bins=15)[0]
    truth = 0.0 if temperature == 1 else np.sqrt(many)
    intervals = [rms_error(*stated(n, s, temperature), bins=15, level=0.95) for s in range(100)]
    assert sum(i.low <= truth <= i.high for i in intervals) >= 88


def test_an_honest_model_is_seldom_called_miscalibrated() -> None:
    """More than 12 of 100 at 5 % has a chance of about 1 in 500; a model twice too sure is always seen."""
    p = [consistency_test(*stated(300, s), bins=15, draws=100, seed=s).p_value for s in range(100)]
    assert sum(value <= 0.05 for value in p) <= 12
    sure = consistency_test(*stated(1000, 0, temperature=2.0), bins=15, draws=100, seed=0)
    assert sure.p_value < 0.02
    assert sure.observed > 2 * sure.expected


def test_draws_of_labels_repeat_under_a_seed_and_agree_with_a_plain_loop() -> None:
    confidence, correct = stated(400, 3)
    found = consistency_test(confidence, correct, bins=15, draws=200, seed=1)
    assert found == consistency_test(confidence, correct, bins=15, draws=200, seed=1)
    rng = np.random.default_rng(7)
    plain = [calibration_error(confidence, rng.random(400) < confidence, bins=15) for _ in range(200)]
    assert found.expected == pytest.approx(np.mean(plain), rel=0.1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(*honest(5000, 1, temperature)) == pytest.approx(temperature, rel=0.08)


def test_no_temperature_is_fitted_where_every_image_is_right() -> None:
    logits, labels = honest(200, 4)
    assert calibrating_temperature(logits, labels) == fit_temperature(logits, labels)
    right = np.asarray(logits.argmax(axis=1))
    assert fit_temperature(logits, right) < 0.03  # the likelihood asks for ever more confidence
    assert calibrating_temperature(logits, right) == 1
    table = calibration_summary_table(logits, labels, logits, right, draws=20, seed=0)
    assert value(table.frame, "after temperature", "nll") == value(table.frame, "as given", "nll")
    assert table.caption.endswith("No temperature fits 200 validation images.")


def test_temperature_mends_a_model_that_is_too_sure() -> None:
    logits, labels = honest(4000, 2, temperature=3.0)
    table = calibration_summary_table(
        logits[:2000], labels[:2000], logits[2000:], labels[2000:], draws=50, seed=0
    ).frame
    for quantity in ("ece", "rms_error", "nll"):
        assert value(table, "after temperature", quantity) < value(table, "as given", quantity)
    assert value(table, "as given", "nll") == pytest.approx(
        log_loss(labels[:2000], softmax(logits[:2000], axis=1))
    )


def test_no_validation_images_are_refused() -> None:
    with pytest.raises(DeepSightError, match="validation images"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
