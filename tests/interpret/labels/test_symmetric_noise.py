"""Labels that are wrong at random: planted ones are told from people's mistakes and from clean labels."""

from functools import cache

import numpy as np
import pytest
from scipy.special import expit, softmax

from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.label_noise import WrongLabels, find_wrong_labels, mistakes_of_people
from deepsight.interpret.labels.label_sources import LabelSources
from deepsight.interpret.labels.symmetric_noise import (
    OF_TWO_CLASSES,
    curve_parts,
    find_symmetric_noise,
    grouped_pairs,
    label_curve,
)

N, K = 3000, 10


@cache
def seen_images(k: int = K, n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True classes, every two of which look alike, and what a source says, which errs on about one in six."""
    rng = np.random.default_rng([seed, k, n])
    true = rng.integers(k, size=n)
    strength = rng.choice([2.0, 3.0, 4.0, 5.0], size=n)[:, None]
    seen = strength * (np.eye(k)[true] + 0.4 * np.eye(k)[true ^ 1]) + rng.normal(size=(n, k))
    return true, softmax(2 * seen, axis=1)


def planted(at_random: float, of_people: float, *, k: int = K, n: int = N, seed: int = 0) -> LabelSources:
    """The source, and labels of which these shares are wrong; people take a class for the one like it."""
    true, beliefs = seen_images(k, n, seed)
    rng = np.random.default_rng([1, seed])
    draw = rng.random(n)
    other = (true + rng.integers(1, k, size=n)) % k
    labels = np.where(draw < at_random, other, np.where(draw > 1 - of_people, true ^ 1, true))
    return LabelSources(np.arange(n), labels, {"model": beliefs})


def wrong_in(judged: LabelSources, seed: int = 0) -> np.ndarray:
    """Which labels are wrong, bool (n,)."""
    return judged.labels != seen_images(judged.pooled.shape[1], len(judged.labels), seed)[0]


def flags_of(judged: LabelSources) -> tuple[np.ndarray, float | None]:
    """The rows of the flagged labels, and the share of them that is claimed to be wrong."""
    tables = label_error_tables({"test": judged}, [str(j) for j in range(judged.pooled.shape[1])])
    flagged = tables["label_errors"].frame.filter("flagged")["index"].to_numpy()
    return flagged, tables["label_error_summary"].frame["estimated_precision"][0]


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_labels_wrong_at_random_are_counted_found_and_claimed_as_they_are(share: float) -> None:
    judged = planted(share, 0.0)
    wrong, found = wrong_in(judged), find_wrong_labels(judged.pooled, judged.labels)
    assert found.at_random == 1
    assert found.probability.sum() == pytest.approx(wrong.sum(), rel=0.2)
    flagged, claimed = flags_of(judged)
    assert claimed == pytest.approx(wrong[flagged].mean(), abs=0.1)
    assert wrong[flagged].sum() > 0.6 * wrong.sum()


def test_as_mistakes_of_people_too_many_would_be_counted() -> None:
    judged = planted(0.1, 0.0)
    people = mistakes_of_people(judged.pooled, judged.labels)
    assert people.probability.sum() > 1.2 * wrong_in(judged).sum()


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1])
def test_mistakes_of_people_and_clean_labels_are_judged_as_ever(share: float) -> None:
    judged = planted(0.0, share)
    found = find_wrong_labels(judged.pooled, judged.labels)
    people = mistakes_of_people(judged.pooled, judged.labels)
    assert found.at_random == 0
    assert np.array_equal(found.probability, people.probability)
    assert found.share_error == people.share_error
    if not share:
        assert not len(flags_of(judged)[0])


def test_the_weight_rises_with_the_share_of_mistakes_that_are_at_random() -> None:
    worlds = [planted(at_random, 0.1 - at_random) for at_random in (0.0, 0.08, 0.1)]
    none, most, every = (find_symmetric_noise(judged.pooled, judged.labels).weight for judged in worlds)
    assert none == 0
    assert 0 < most < 1
    assert every == 1


def test_of_two_classes_the_kinds_cannot_be_told_apart() -> None:
    judged = planted(0.1, 0.0, k=2)
    assert find_symmetric_noise(judged.pooled, judged.labels).weight == OF_TWO_CLASSES


def test_sources_that_are_right_are_trusted_though_a_third_of_the_labels_is_wrong_at_random() -> None:
    judged = planted(0.3, 0.0)
    assert (judged.pooled.argmax(axis=1) == judged.labels).mean() < 0.7
    flagged, _ = flags_of(judged)
    wrong = wrong_in(judged)
    assert wrong[flagged].mean() > 0.65
    assert wrong[flagged].sum() > 0.9 * wrong.sum()


def test_the_share_is_that_of_the_least_likely_classes() -> None:
    """A second opinion without a curve: how often the least likely fifth of all classes is the label."""
    judged = planted(0.1, 0.0)
    least = np.argsort(judged.pooled, axis=None)[: N * K // 5]
    given = (np.arange(K) == judged.labels[:, None]).ravel()
    curve = label_curve(judged.pooled, judged.labels)
    assert expit(curve.fitted[0]) == pytest.approx((K - 1) * given[least].mean(), abs=0.02)
    assert expit(curve.fitted[0]) == pytest.approx(0.1, abs=3 * curve.share_error)


def test_the_share_is_as_uncertain_as_it_differs_between_samples() -> None:
    worlds = [planted(0.1, 0.0, n=600, seed=seed) for seed in range(8)]
    curves = [label_curve(judged.pooled, judged.labels) for judged in worlds]
    errors = [curve.share_error for curve in curves]
    assert 0.5 < np.std([expit(curve.fitted[0]) for curve in curves], ddof=1) / np.mean(errors) < 2


def test_every_pair_is_in_one_group() -> None:
    judged = planted(0.1, 0.0, n=77)
    pairs = grouped_pairs(judged.pooled, judged.labels)
    assert pairs.pairs.sum() == 77 * K
    assert pairs.labels.sum() == 77
    assert (np.diff(pairs.log_odds) >= 0).all()


def test_a_label_is_wrong_at_random_or_right_by_the_curve() -> None:
    at, odds = np.array([-2.0, 0.3, 1.2]), np.array([-9.0, 0.0, 3.0])
    share, of_class = expit(-2.0), expit(0.3 + 1.2 * odds)
    wrong, right = curve_parts(odds, 5, at)
    assert wrong == pytest.approx(share / 4 * (1 - of_class))
    assert wrong + right == pytest.approx(share / 4 + (1 - share * 5 / 4) * of_class)


def test_a_single_class_has_no_other_to_be_wrong_for() -> None:
    found = find_symmetric_noise(np.ones((5, 1)), np.zeros(5, dtype=np.int64))
    assert found.weight == 0
    assert isinstance(find_wrong_labels(np.ones((5, 1)), np.zeros(5, dtype=np.int64)), WrongLabels)
