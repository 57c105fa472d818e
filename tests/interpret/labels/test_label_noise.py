"""Wrong labels: planted ones are counted and found, a classifier's own mistakes are left alone."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score, brier_score_loss

from deepsight.interpret.labels import label_noise, mistake_mixture
from deepsight.interpret.labels.label_noise import (
    confident_joint,
    find_wrong_labels,
    mistakes_of_people,
    wrong_label_probabilities,
)

N, K = 8000, 4


def seen_by_a_classifier(seed: int, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """True labels of four classes, and what a calibrated classifier says, which errs on one in six."""
    rng = np.random.default_rng(seed)
    true = rng.integers(K, size=n)
    strength = rng.choice([1.0, 2.0, 3.0, 4.0], size=n)[:, None]
    seen = strength * np.eye(K)[true] + rng.normal(size=(n, K))
    return true, softmax(strength * seen, axis=1)


def with_flips(true: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Labels of which this share is changed to another class, whatever the image."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(true)) < share, (true + rng.integers(1, K, size=len(true))) % K, true)


@pytest.mark.slow
def test_clean_labels_are_not_accused_however_often_the_classifier_errs() -> None:
    true, beliefs = seen_by_a_classifier(0)
    errs = int((beliefs.argmax(axis=1) != true).sum())
    wrong = wrong_label_probabilities(beliefs, true)
    assert errs > 1000
    assert wrong.sum() < 0.05 * errs
    assert wrong.max() < 0.8


@pytest.mark.slow
def test_many_wrong_labels_leave_less_to_the_classifier_and_few_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against one rule for all noise; the clean control is the same bit for bit."""
    true, beliefs = seen_by_a_classifier(4)
    softened = softmax(-1.5 * np.sqrt(-np.log(beliefs)), axis=1)  # far-off classes are too likely
    scores = {}
    for ends in (label_noise.NOISY, (1.0, 2.0)):
        monkeypatch.setattr(label_noise, "NOISY", ends)
        scores[ends] = [
            mistakes_of_people(said, with_flips(true, share, 5)).probability
            for said, share in ((softened, 0.12), (beliefs, 0.0))
        ]
    (noisy, clean), (before, as_before) = scores.values()
    assert np.array_equal(clean, as_before)
    assert noisy.sum() > before.sum()


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_planted_mistakes_are_counted_found_and_claimed_as_surely_as_they_are(share: float) -> None:
    true, beliefs = seen_by_a_classifier(1)
    labels = with_flips(true, share, 2)
    wrong = wrong_label_probabilities(beliefs, labels)
    planted = labels != true
    assert wrong.sum() == pytest.approx(planted.sum(), rel=0.35)
    assert (
        average_precision_score(planted, wrong)
        > average_precision_score(planted, 1 - beliefs[np.arange(N), labels]) - 0.02
    )
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        there = (wrong >= low) & (wrong < high)
        assert planted[there].mean() == pytest.approx(wrong[there].mean(), abs=0.2)


def test_the_share_is_as_uncertain_as_it_differs_between_samples() -> None:
    found, errors = [], []
    for seed in range(8):
        true, beliefs = seen_by_a_classifier(seed + 10, n=500)
        wrong = find_wrong_labels(beliefs, with_flips(true, 0.1, seed))
        found.append(wrong.probability.mean())
        errors.append(wrong.share_error)
    assert 0.5 < np.std(found, ddof=1) / np.mean(errors) < 2


def test_where_no_label_surprises_the_share_is_certain() -> None:
    beliefs = np.full((100, 2), [0.999, 0.001])
    assert find_wrong_labels(beliefs, np.zeros(100, dtype=np.int64)).share_error < 0.001


def test_it_is_a_better_forecast_than_the_doubt_of_the_label() -> None:
    true, beliefs = seen_by_a_classifier(3)
    labels = with_flips(true, 0.05, 4)
    planted = labels != true
    ours = brier_score_loss(planted, wrong_label_probabilities(beliefs, labels))
    assert ours < 0.6 * brier_score_loss(planted, 1 - beliefs[np.arange(N), labels])


@pytest.mark.slow
def test_two_parameters_are_fitted_on_a_sample_and_all_labels_are_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true, beliefs = seen_by_a_classifier(6)
    labels = with_flips(true, 0.05, 7)
    whole = wrong_label_probabilities(beliefs, labels)
    monkeypatch.setattr(mistake_mixture, "FITTED_CELLS", K * N // 2)
    assert wrong_label_probabilities(beliefs, labels) == pytest.approx(whole, abs=0.15)


def test_arguments_stay_as_they_were() -> None:
    true, beliefs = seen_by_a_classifier(7, n=200)
    labels, before = with_flips(true, 0.1, 1), beliefs.copy()
    wrong_label_probabilities(beliefs, labels)
    assert np.array_equal(beliefs, before)


def test_the_joint_counts_the_labels_of_each_class() -> None:
    true, beliefs = seen_by_a_classifier(8, n=2000)
    joint = confident_joint(true, beliefs)
    assert joint.sum() == pytest.approx(2000)
    assert joint.sum(axis=0) == pytest.approx(np.bincount(true, minlength=K))
