"""Intervals of macro-F1 against plain resampling, closed forms and simulations with a known truth."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from deepsight.core.statistics.clusters import cluster_bootstrap_macro_f1
from deepsight.core.statistics.intervals import confusion_counts, f1_of_counts, macro_f1, wilson
from deepsight.core.statistics.macro_f1 import (
    f1_gradient,
    few_images_warning,
    macro_f1_interval,
    macro_f1_intervals,
    second_order_bias,
)
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from noisy_predictions import noisy


def matrices(sizes: np.ndarray, rates: np.ndarray, repeats: int, seed: int = 0) -> np.ndarray:
    """Confusion matrices (repeats, k, k) of test sets whose images have these rates (k, k)."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.multinomial(n, p, size=repeats) for n, p in zip(sizes, rates, strict=True)], axis=1)


def even_errors(k: int, error: float) -> np.ndarray:
    return np.full((k, k), error / (k - 1)) + (1 - error - error / (k - 1)) * np.eye(k)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(5, size=600)


def test_the_interval_agrees_with_a_plain_resampling_of_images(labels: np.ndarray) -> None:
    predicted = noisy(labels, 5, 0.25, 3)
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(labels == c) for c in range(5)]
    plain = []
    for _ in range(1000):
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        plain.append(macro_f1(labels[rows], predicted[rows], 5))
    interval = macro_f1_interval(labels, predicted, 5)
    assert (interval.low, interval.high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.006)
    assert interval.value == pytest.approx(f1_score(labels, predicted, average="macro"))


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ((30, 30), 0.05),
        ((100,) * 3, 0.4),
        ((20,) * 10, 0.1),
        ((500,) * 10, 0.06),
        ((2000, 20, 20), 0.05),
        ((1000,) * 5 + (15,) * 5, 0.1),
    ],
)
def test_the_interval_covers_the_true_score(sizes: tuple[int, ...], error: float) -> None:
    """95 % intervals over 600 made test sets; below 92 % or above 98 % has a chance of about 1 in 1,000."""
    n, rates = np.array(sizes), even_errors(len(sizes), error)
    truth = f1_of_counts(n[:, None] * rates).mean()
    _, low, high = macro_f1_intervals(matrices(n, rates, 600))
    assert 0.92 <= ((low <= truth) & (truth <= high)).mean() <= 0.985


def test_a_model_without_an_error_is_as_certain_as_its_images_make_it() -> None:
    labels = np.repeat(np.arange(2), 10)
    interval = macro_f1_interval(labels, labels, 2)
    assert (interval.value, interval.high) == (1, 1)
    assert interval.low == pytest.approx(float(wilson(20, 20)[0]), abs=0.03)
    assert macro_f1_interval(labels, 1 - labels, 2).low == 0
    assert macro_f1_interval(labels, 1 - labels, 2).high > 0.05


@pytest.mark.parametrize("wrong", [0, 3])
def test_images_are_scored_by_the_classes_that_are_among_them(wrong: int) -> None:
    labels, groups = np.repeat([0, 1], 20), np.arange(40) // 4
    predicted = np.where(np.arange(40) < wrong, 2, labels)  # the third class has no images here
    truth = f1_score(labels, predicted, average="macro", labels=[0, 1])
    assert macro_f1(labels, predicted, 3) == pytest.approx(truth)
    assert macro_f1_interval(labels, predicted, 3).value == pytest.approx(truth)
    assert cluster_bootstrap_macro_f1(labels, predicted, 3, groups, seed=0).value == pytest.approx(truth)
    paired = paired_macro_f1(labels, np.roll(labels, 1), predicted, 3)
    before = f1_score(labels, np.roll(labels, 1), average="macro")
    assert paired.value == pytest.approx(truth - before)


def test_the_gradient_is_that_of_finite_differences() -> None:
    counts = confusion_counts(*(np.random.default_rng(2).integers(3, size=(2, 200))), 3).astype(float)
    weights = np.array([0.5, 0.2, 0.3])
    analytic = f1_gradient(counts, weights)
    for i in range(3):
        for j in range(3):
            moved = counts.copy()
            moved[i, j] += 1e-5
            moved[i, (j + 1) % 3] -= 1e-5
            slope = (f1_of_counts(moved) - f1_of_counts(counts)) @ weights / 1e-5
            assert analytic[i, j] - analytic[i, (j + 1) % 3] == pytest.approx(slope, abs=1e-6)


@pytest.mark.slow
def test_the_bias_is_what_small_classes_show() -> None:
    n, rates = np.full(20, 6), even_errors(20, 0.3)
    found = f1_of_counts(matrices(n, rates, 20_000)).mean()
    truth = f1_of_counts(n[:, None] * rates).mean()
    assert second_order_bias(n[:, None] * rates).mean() == pytest.approx(found - truth, abs=0.002)
    assert abs(found - truth) > 0.003


def test_classes_with_few_images_are_named() -> None:
    said = few_images_warning(np.array([4, 10, 30]), ("a", "b", "c"))
    assert "1 of 3 classes have fewer than 10 test images: a (4)" in said
    assert few_images_warning(np.full(3, 10), ("a", "b", "c")) == ""
