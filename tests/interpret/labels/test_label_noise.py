"""The noise of labels: recovered where it was planted, and undone by deconvolution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepsight.interpret.labels.label_noise import (
    ROUNDS,
    SEEN,
    SPARSE,
    deconvolve,
    most_mistakes,
    planted_mistakes,
    transition,
    true_class,
)

PLANTED = np.array([[0.9, 0.1, 0.0], [0.0, 0.95, 0.05], [0.2, 0.0, 0.8]])


def noisy(n: int, noise: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clear images: true labels, given labels, and P(given | image) of a model that knows both."""
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=n)
    given_label = (rng.random(n)[:, None] > noise[true].cumsum(axis=1)).sum(axis=1)
    certainty = 0.98 * np.eye(3)[true] + 0.02 / 3
    return true, given_label, certainty @ noise


def test_planted_noise_is_recovered() -> None:
    _, labels, probabilities = noisy(20_000, PLANTED, seed=0)
    assert transition(labels, probabilities) == pytest.approx(PLANTED, abs=0.02)


def test_clean_labels_have_no_noise() -> None:
    _, labels, probabilities = noisy(5_000, np.eye(3), seed=0)
    assert transition(labels, probabilities) == pytest.approx(np.eye(3), abs=0.01)


def test_a_class_without_images_keeps_its_labels() -> None:
    _, labels, probabilities = noisy(500, np.eye(3), seed=0)
    wider = np.hstack([probabilities, np.zeros((500, 1))])
    assert transition(labels, wider)[3].tolist() == [0, 0, 0, 1]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_deconvolution_undoes_the_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = 0.8 * np.eye(4) + 0.2 * rng.dirichlet(np.ones(4), size=4)
    true = rng.dirichlet(np.ones(4), size=5)
    found = deconvolve(true @ noise, noise)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found @ noise == pytest.approx(true @ noise, abs=0.02)


def test_rows_of_many_classes_settle_one_by_one_where_the_plain_iteration_leads() -> None:
    """Sparse noise, blocks and early ends change nothing that can be seen."""
    rng = np.random.default_rng(0)
    k = 60
    noise = 0.9 * np.eye(k)
    noise[np.arange(k), rng.permutation(k)] += 0.1
    seen = rng.dirichlet(np.full(k, 0.05), size=400) @ noise
    plain = seen.copy()
    for _ in range(ROUNDS):
        plain *= (seen / np.maximum(plain @ noise, 1e-300)) @ noise.T
    plain /= plain.sum(axis=1, keepdims=True)
    assert np.count_nonzero(noise) / noise.size < SPARSE
    assert deconvolve(seen, noise) == pytest.approx(plain, abs=2e-5)


def test_bayes_knows_that_a_common_mistake_is_likelier() -> None:
    """Both images look half like class 2; labels 0 come from class 2 at times, labels 1 never."""
    seen = np.array([[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]) @ PLANTED
    truth = true_class(seen, np.array([0, 1]), PLANTED)
    assert truth.sum(axis=1) == pytest.approx(1)
    assert truth[0, 2] == pytest.approx(0.2 / 1.1, abs=0.02)
    assert truth[1, 2] == pytest.approx(0, abs=0.02)


def test_arguments_stay_as_they_were() -> None:
    seen = np.full((3, 3), 1 / 3)
    true_class(seen, np.arange(3), PLANTED)
    assert (seen == 1 / 3).all()


def seen_by_a_classifier(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True labels of four classes, and calibrated beliefs that are surely wrong about a few of the images."""
    rng = np.random.default_rng(seed)
    true = rng.integers(4, size=n)
    strength = rng.choice([1.0, 2.0, 3.0], size=n)[:, None]
    logits = strength * (strength * np.eye(4)[true] + rng.normal(size=(n, 4)))
    beliefs = np.exp(logits - logits.max(axis=1, keepdims=True))
    return true, beliefs / beliefs.sum(axis=1, keepdims=True)


def with_flips(true: np.ndarray, share: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(true)) < share, (true + rng.integers(1, 4, size=len(true))) % 4, true)


def test_planted_mistakes_are_a_distribution_over_the_other_labels() -> None:
    true, beliefs = seen_by_a_classifier(500, 0)
    weight = planted_mistakes(beliefs, true)
    assert weight.sum() == pytest.approx(1)
    assert (weight[np.arange(500), true] == 0).all()
    assert (weight >= 0).all()


def test_one_half_of_the_planted_mistakes_do_not_depend_on_the_image() -> None:
    beliefs = np.full((6, 3), 1 / 3)
    beliefs[0] = (0.0, 1.0, 0.0)
    weight = planted_mistakes(beliefs, np.zeros(6, dtype=np.int64))
    assert weight[1:].sum() == pytest.approx(5 / 6 / 2 + (10 / 3) / (1 + 10 / 3) / 2)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.15])
def test_there_is_room_for_the_mistakes_that_were_planted(share: float) -> None:
    true, beliefs = seen_by_a_classifier(8000, 1)
    labels = with_flips(true, share, 2)
    assert most_mistakes(beliefs, labels) >= 0.9 * (labels != true).sum()


def test_clean_labels_leave_room_for_few_however_often_the_classifier_errs() -> None:
    true, beliefs = seen_by_a_classifier(8000, 3)
    errs = (beliefs.argmax(axis=1) != true).sum()
    assert errs > 1000
    assert most_mistakes(beliefs, true) < 0.3 * errs
    by_hand = min(
        (beliefs[np.arange(8000), true] <= t).sum() / planted_mistakes(beliefs, true)[beliefs <= t].sum()
        for t in np.geomspace(1e-4, 0.9, 400)
        if planted_mistakes(beliefs, true)[beliefs <= t].sum() >= SEEN
    )
    assert most_mistakes(beliefs, true) == pytest.approx(by_hand, rel=0.25, abs=3)
