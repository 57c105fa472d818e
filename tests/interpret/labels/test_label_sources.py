"""Opinions: who is asked about which images, and how they are pooled."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import make_blobs

from deepsight.core.errors import DeepSightError
from deepsight.interpret.labels import label_sources
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.interpret.labels.knn import nearest_neighbours, neighbour_vote
from deepsight.interpret.labels.label_errors import label_errors_of_split
from deepsight.interpret.labels.label_sources import (
    ExaminedSplit,
    affordable_part,
    equal_pool,
    gather_label_sources,
    judging_groups,
    log_pool,
)

RNG = np.random.default_rng(0)
LABELS = RNG.integers(3, size=600)


def opinion(strength: float, seed: int) -> np.ndarray:
    """A calibrated distribution: logits are the log likelihood ratio of what was seen of the label."""
    rng = np.random.default_rng(seed)
    seen = strength * np.eye(3)[LABELS] + rng.normal(size=(600, 3))
    return softmax(strength * seen, axis=1)


def loss(probabilities: np.ndarray) -> float:
    return -float(np.log(probabilities[np.arange(600), LABELS]).mean())


def test_independent_calibrated_opinions_add_up_as_bayes_says() -> None:
    a, b = opinion(1, 1), opinion(1.5, 2)
    exact = a * b / (a * b).sum(axis=1, keepdims=True)
    assert np.abs(log_pool([a, b], LABELS) - exact).mean() < 0.03


def test_a_pool_is_at_least_as_good_as_its_best_member() -> None:
    members = [
        opinion(0.5, 1),
        opinion(2, 2),
        softmax(np.random.default_rng(3).normal(size=(600, 3)), axis=1),
    ]
    assert loss(log_pool(members, LABELS)) <= min(map(loss, members)) + 1e-6


def test_an_opinion_given_twice_counts_once() -> None:
    a = opinion(1, 1)
    assert log_pool([a, a], LABELS) == pytest.approx(log_pool([a], LABELS), abs=1e-3)


def test_a_single_opinion_gets_its_temperature_back() -> None:
    a = opinion(1.5, 1)
    sharpened = softmax(4 * np.log(a), axis=1)
    assert log_pool([sharpened], LABELS) == pytest.approx(log_pool([a], LABELS), abs=0.02)


def test_a_probability_of_zero_is_survived() -> None:
    certain = np.eye(3)[LABELS]
    certain[0] = np.roll(certain[0], 1)
    assert np.isfinite(log_pool([certain, opinion(1, 1)], LABELS)).all()


@pytest.fixture(scope="module")
def parts() -> dict[str, ExaminedSplit]:
    features, labels = make_blobs(300, 8, centers=3, random_state=0)
    labels = labels.astype(np.int64)
    model = softmax(np.random.default_rng(1).normal(size=(50, 3)), axis=1)
    return {
        "train": ExaminedSplit(np.arange(200), labels[:200], None, features[:200], "before"),
        "val": ExaminedSplit(np.arange(50), labels[200:250], None, features[200:250], "before"),
        "test": ExaminedSplit(np.arange(50), labels[250:], model, features[250:], "after"),
    }


def test_parts_of_one_space_are_asked_together(parts: dict[str, ExaminedSplit]) -> None:
    found = gather_label_sources(parts, 3, seed=0)
    labels = np.concatenate([parts["train"].labels, parts["val"].labels])
    features = np.concatenate([parts["train"].features, parts["val"].features])  # type: ignore[list-item]
    head = out_of_fold_probabilities(features, labels, 3, seed=0)
    votes = neighbour_vote(nearest_neighbours(features, seed=0), labels, 3)
    assert np.array_equal(found["train"].distributions["head"], head[:200])
    assert np.array_equal(found["val"].distributions["head"], head[200:])
    assert np.array_equal(found["val"].distributions["neighbours"], votes[200:])


def test_each_part_has_the_sources_that_it_came_with(parts: dict[str, ExaminedSplit]) -> None:
    bare = ExaminedSplit(parts["test"].ids, parts["test"].labels, parts["test"].probabilities)
    found = gather_label_sources({**parts, "bare": bare}, 3, seed=0)
    assert {name: list(each.distributions) for name, each in found.items()} == {
        "train": ["head", "neighbours"],
        "val": ["head", "neighbours"],
        "test": ["model", "head", "neighbours"],
        "bare": ["model"],
    }


def test_a_further_network_is_a_further_source(parts: dict[str, ExaminedSplit]) -> None:
    test = replace(parts["test"], more={"before": parts["test"].features})
    found = gather_label_sources({"train": parts["train"], "test": test}, 3, seed=0)
    assert list(found["test"].distributions) == [
        "model", "head (before)", "neighbours (before)", "head", "neighbours",
    ]  # fmt: skip
    features = np.concatenate([parts["train"].features, parts["test"].features])  # type: ignore[list-item]
    head = out_of_fold_probabilities(
        features, np.concatenate([parts["train"].labels, test.labels]), 3, seed=0
    )
    assert np.array_equal(found["test"].distributions["head (before)"], head[200:])
    assert np.array_equal(found["train"].distributions["head"], head[:200])


def test_a_further_model_is_a_further_source(parts: dict[str, ExaminedSplit]) -> None:
    other = softmax(np.random.default_rng(2).normal(size=(50, 3)), axis=1)
    alone = ExaminedSplit(parts["test"].ids, parts["test"].labels, judges={"reference": other})
    found = gather_label_sources({"test": alone}, 3, seed=0)["test"].distributions
    assert list(found) == ["reference"]
    assert np.array_equal(found["reference"], other)


def test_an_equal_pool_hears_the_weaker_source_too() -> None:
    strong, weak = opinion(2, 1), opinion(0.7, 2)
    equal = equal_pool([log_pool([strong], LABELS), log_pool([weak], LABELS)], LABELS)
    weight = [
        np.corrcoef(np.log(equal[:, 0] / equal[:, 1]), np.log(p[:, 0] / p[:, 1]))[0, 1]
        for p in (strong, weak)
    ]
    assert weight[1] > 0.3
    assert equal == pytest.approx(log_pool([equal], LABELS), abs=0.02)  # calibrated as it is


def test_features_of_no_width_are_none() -> None:
    bare = ExaminedSplit(np.arange(3), np.arange(3), np.eye(3), np.empty((3, 0)))
    assert list(gather_label_sources({"test": bare}, 3, seed=0)["test"].distributions) == ["model"]


def test_a_part_without_anything_is_refused() -> None:
    with pytest.raises(DeepSightError, match="labels of test, received neither"):
        gather_label_sources({"test": ExaminedSplit(np.arange(3), np.arange(3))}, 3, seed=0)


def test_the_number_of_folds_and_of_neighbours_matters(parts: dict[str, ExaminedSplit]) -> None:
    base, folds, count = (
        gather_label_sources(parts, 3, seed=0, **dials)["train"].distributions
        for dials in ({}, {"folds": 3}, {"count": 3})
    )
    assert not np.array_equal(base["head"], folds["head"])
    assert not np.array_equal(base["neighbours"], count["neighbours"])


def test_of_too_many_images_times_classes_a_sample_is_examined(
    parts: dict[str, ExaminedSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert affordable_part(parts["test"], 3, seed=0) is parts["test"]
    monkeypatch.setattr(label_sources, "MOST_CELLS", 60)
    few = affordable_part(replace(parts["test"], more={"before": parts["test"].features}), 3, seed=0)
    assert len(few.ids) == 20
    assert (np.diff(few.ids) > 0).all()
    assert np.array_equal(few.labels, parts["test"].labels[few.ids])
    assert np.array_equal(few.probabilities, parts["test"].probabilities[few.ids])  # type: ignore[index]
    assert np.array_equal(few.more["before"], parts["test"].features[few.ids])  # type: ignore[index]
    assert list(gather_label_sources({"test": few}, 3, seed=0)["test"].ids) == list(few.ids)


def series_with_a_wrong_label() -> tuple[ExaminedSplit, np.ndarray]:
    """150 series of eight nearly equal pictures; nine series have one and the same wrong label throughout."""
    features, true = make_blobs(150, 16, centers=3, cluster_std=2.0, random_state=0)
    rng, groups = np.random.default_rng(0), np.repeat(np.arange(150), 8)
    copies = features[groups] + 0.01 * rng.normal(size=(1200, 16))
    wrong = np.isin(groups, rng.choice(150, 9, replace=False))
    labels = np.where(wrong, (true[groups] + 1) % 3, true[groups]).astype(np.int64)
    return ExaminedSplit(np.arange(1200), labels, None, copies, groups=groups), wrong


def test_a_series_does_not_vouch_for_the_wrong_label_that_it_shares() -> None:
    part, wrong = series_with_a_wrong_label()
    own = np.arange(1200), part.labels
    apart, together = (
        gather_label_sources({"train": each}, 3, seed=0)["train"]
        for each in (part, replace(part, groups=None))
    )
    assert np.median(together.distributions["neighbours"][own][wrong]) > 0.3
    assert np.median(apart.distributions["neighbours"][own][wrong]) < 0.1
    flagged, vouched = (
        label_errors_of_split("train", each, tuple("abc"), 0.7)["flagged"].to_numpy()
        for each in (apart, together)
    )
    assert flagged[wrong].all()
    assert not vouched[wrong].any()


def test_groups_of_one_image_are_no_groups(parts: dict[str, ExaminedSplit]) -> None:
    """The neighbours bit for bit; the head has the same number of other folds."""
    alone = {name: replace(part, groups=part.ids + 1000 * i) for i, (name, part) in enumerate(parts.items())}
    plain, grouped = (gather_label_sources(each, 3, seed=0) for each in (parts, alone))
    for name in parts:
        ours, theirs = grouped[name].distributions, plain[name].distributions
        assert np.array_equal(ours["neighbours"], theirs["neighbours"])
        assert np.abs(ours["head"] - theirs["head"]).mean() < 0.1


def test_who_must_not_judge_whom() -> None:
    """The only group of a class, and images without groups, stand alone."""
    labels, groups = np.array([0, 0, 1, 0, 1, 1, 2, 2]), np.array([5, 5, 5, 6, 6, 6, 7, 7])
    first = ExaminedSplit(np.arange(8), labels, groups=groups)
    bare = ExaminedSplit(np.arange(3), np.array([0, 1, 1]))
    assert judging_groups([bare, bare]) is None
    found = judging_groups([first])
    assert found is not None
    same = found[:, None] == found
    assert np.array_equal(same[:6, :6], groups[:6, None] == groups[:6])
    assert same[6:].sum() == 2
    mixed = judging_groups([bare, first])
    assert mixed is not None
    assert (mixed[:3, None] == mixed).sum() == 3


def test_a_sample_keeps_its_groups(parts: dict[str, ExaminedSplit]) -> None:
    part = replace(parts["test"], groups=np.arange(50) // 5)
    assert list(part.select(np.array([0, 7, 49])).groups) == [0, 1, 9]  # type: ignore[arg-type]
