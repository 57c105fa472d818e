"""Cross-fitting: the closed form against scikit-learn, and no row sees its own label."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import Ridge

from deepsight.core.errors import DeepSightError
from deepsight.core.folds import held_out_folds
from deepsight.interpret.labels.cross_validation import (
    Standardised,
    feature_moments,
    out_of_fold_probabilities,
    ridge_weights,
    scatter_sums,
    scores_out_of_fold,
    sum_of,
)


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_classification(400, 12, n_informative=6, n_classes=3, class_sep=1.5, random_state=0)
    return (x * 3 + 5).astype(np.float32), y.astype(np.int64)


@pytest.mark.parametrize("more", [0, 500])
def test_scores_are_those_of_ridge_fitted_on_the_other_folds(
    blobs: tuple[np.ndarray, np.ndarray], more: int
) -> None:
    """With more features than rows too, which are turned into fewer."""
    features, labels = blobs
    features = np.hstack([features, np.random.default_rng(0).normal(size=(len(features), more))])
    fold = held_out_folds(labels, 4, seed=0)
    x, targets = Standardised(features), np.eye(3)[labels]
    parts = [scatter_sums(x, targets, np.flatnonzero(fold == f)) for f in range(4)]
    others = [sum_of(parts[:f] + parts[f + 1 :]) for f in range(4)]
    scores = scores_out_of_fold(x, others, fold, 0.1)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    for f in range(4):
        seen, held = fold != f, fold == f
        alpha = 0.1 * (scaled[seen] ** 2).sum() / features.shape[1]
        peer = Ridge(alpha=alpha, fit_intercept=False).fit(scaled[seen], targets[seen])
        assert scores[held] == pytest.approx(peer.predict(scaled[held]), abs=1e-4)


def test_the_sums_of_parts_are_those_of_the_whole(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = blobs
    x, targets = Standardised(features), np.eye(3)[labels]
    halves = [scatter_sums(x, targets, np.arange(200)), scatter_sums(x, targets, np.arange(200, 400))]
    whole = scatter_sums(x, targets, np.arange(400))
    assert ridge_weights(sum_of(halves), 0.1, 12) == pytest.approx(ridge_weights(whole, 0.1, 12), abs=1e-5)


def test_probabilities_are_distributions_and_calibrated(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = blobs
    found = out_of_fold_probabilities(features, labels, 3, seed=0)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.min() > 0
    assert found.max(axis=1).mean() == pytest.approx((found.argmax(axis=1) == labels).mean(), abs=0.05)


def test_noise_is_not_predicted_when_there_is_nothing_to_learn() -> None:
    """In sample, 100 features for 200 rows would explain half of any labels; out of sample, nothing."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    found = out_of_fold_probabilities(rng.normal(size=(200, 100)), labels, 2, seed=0)
    assert (found.argmax(axis=1) == labels).mean() == pytest.approx(0.5, abs=0.12)


def test_a_changed_label_moves_no_prediction_within_its_fold(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = blobs
    fold = held_out_folds(labels, 5, seed=0)
    x, wrong = Standardised(features), np.eye(3)[labels]
    wrong[0] = np.roll(wrong[0], 1)
    rows = np.flatnonzero(fold == fold[0])

    def scores(targets: np.ndarray) -> np.ndarray:
        parts = [scatter_sums(x, targets, np.flatnonzero(fold == f)) for f in range(5)]
        return scores_out_of_fold(x, [sum_of(parts[:f] + parts[f + 1 :]) for f in range(5)], fold, 0.1)

    moved = np.abs(scores(wrong) - scores(np.eye(3)[labels])).max(axis=1)
    assert moved[rows].max() == 0
    assert moved.max() > 0


def test_half_precision_and_constant_features_are_welcome(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = blobs
    wide = np.hstack([features, np.full((400, 1), 7)]).astype(np.float16)
    agree = out_of_fold_probabilities(wide, labels, 3, seed=0).argmax(axis=1) == out_of_fold_probabilities(
        features, labels, 3, seed=0
    ).argmax(1)
    assert agree.mean() > 0.99


def test_moments_are_those_of_numpy() -> None:
    features = np.random.default_rng(0).normal(50, 3, size=(500, 4))
    mean, deviation = feature_moments(features)
    assert mean == pytest.approx(features.mean(axis=0), rel=1e-5)
    assert deviation == pytest.approx(features.std(axis=0), rel=1e-4)


def test_the_seed_decides_the_folds(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = blobs
    assert np.array_equal(
        out_of_fold_probabilities(features, labels, 3, seed=1),
        out_of_fold_probabilities(features, labels, 3, seed=1),
    )
    assert not np.array_equal(
        out_of_fold_probabilities(features, labels, 3, seed=1),
        out_of_fold_probabilities(features, labels, 3, seed=2),
    )


def test_a_single_fold_is_refused(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(DeepSightError, match="at least 2 folds, received 1"):
        out_of_fold_probabilities(*blobs, 3, folds=1, seed=0)


def test_the_head_of_a_row_has_seen_no_row_of_its_group(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    """Ten copies of each row with random labels: only a head that saw a copy can know them."""
    features = np.repeat(blobs[0][:40], 10, axis=0)
    groups = np.repeat(np.arange(40), 10)
    labels = np.repeat(np.random.default_rng(0).permutation(np.arange(40) % 2), 10)
    wide = np.hstack([features, np.random.default_rng(1).normal(size=(40, 60))[groups]])
    seen, unseen = (
        (out_of_fold_probabilities(wide, labels, 2, groups=each, seed=0).argmax(axis=1) == labels).mean()
        for each in (None, groups)
    )
    assert seen == 1
    assert unseen < 0.7


def test_folds_are_no_more_than_groups(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = blobs
    halves = np.arange(400) % 2
    two = out_of_fold_probabilities(features, labels, 3, groups=halves, seed=0)
    assert (two.argmax(axis=1) == labels).mean() > 0.6
    one = out_of_fold_probabilities(features, labels, 3, groups=np.zeros(400, np.int64), seed=0)
    assert one == pytest.approx(np.tile(np.bincount(labels) / 400, (400, 1)))
