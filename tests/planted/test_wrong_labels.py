"""Wrong labels that we planted are found, those that we did not plant are not."""

import numpy as np
import polars as pl
import pytest
from cleanlab.rank import get_label_quality_scores
from sklearn.datasets import make_blobs
from sklearn.metrics import average_precision_score

from deepsight.interpret.labels.ambiguity import ambiguity_table
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.interpret.labels.label_errors import label_error_tables, label_errors_of_split
from deepsight.interpret.labels.label_sources import ExaminedSplit, LabelSources, gather_label_sources

N, K = 3000, 5
CLASSES = tuple("abcde")


def images(spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of five classes that overlap more as they spread, and their true labels."""
    features, true = make_blobs(N, 16, centers=K, cluster_std=spread, center_box=(-3, 3), random_state=seed)
    return features, true.astype(np.int64)


def flipped(true: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Labels of which this share is wrong; half of the wrong ones of each class go to the next class."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(N) < share
    step = np.where(rng.random(N) < 0.5, 1, rng.integers(1, K, size=N))
    return np.where(wrong, (true + step) % K, true)


def diagnose(features: np.ndarray, labels: np.ndarray, **dials: float) -> dict[str, pl.DataFrame]:
    opinions = gather_label_sources({"train": ExaminedSplit(np.arange(N), labels, None, features)}, K, seed=0)
    found = label_error_tables(opinions, CLASSES, **dials)
    return {
        name: table.frame.sort("index") if "index" in table.units else table.frame
        for name, table in found.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.03, 0.1])
def test_planted_errors_are_found_named_and_counted(share: float) -> None:
    features, true = images(1.5)
    labels = flipped(true, share)
    found = diagnose(features, labels, precision=0.5)
    per_image, total = found["label_errors"], found["label_error_summary"].row(0, named=True)
    wrong = labels != true
    assert average_precision_score(wrong, per_image["score"]) > 0.9
    flagged = per_image["flagged"].to_numpy()
    assert wrong[flagged].mean() > total["estimated_precision"] - 0.1
    assert flagged[wrong].mean() > 0.75
    named = per_image["suggested"].to_numpy()[wrong & flagged] == np.array(CLASSES)[true[wrong & flagged]]
    assert named.mean() > 0.95
    assert total["ci_low"] <= wrong.sum() <= total["ci_high"]


@pytest.mark.slow
def test_clean_labels_raise_no_alarm() -> None:
    features, true = images(1.5)
    found = diagnose(features, true)
    assert found["label_errors"]["flagged"].sum() <= 0.005 * N
    assert found["label_error_summary"]["estimated"][0] < 0.02 * N


@pytest.mark.slow
def test_sources_that_know_nothing_flag_nothing() -> None:
    """A bad classifier disagrees with most labels; that says nothing about the labels."""
    _, true = images(1.5)
    found = diagnose(np.random.default_rng(0).normal(size=(N, 8)), true)
    assert not found["label_errors"]["flagged"].any()
    assert found["label_error_summary"]["agreement"][0] < 0.7
    assert found["label_error_summary"]["estimated_precision"][0] is None


@pytest.mark.slow
def test_features_find_what_the_probabilities_of_the_model_miss() -> None:
    """The model saw four of sixteen features; cleanlab has its probabilities, we have the features too."""
    features, true = images(2.5)
    labels = flipped(true, 0.1)
    model = out_of_fold_probabilities(features[:, :4], labels, K, seed=1)
    opinions = gather_label_sources(
        {"test": ExaminedSplit(np.arange(N), labels, model, features)}, K, seed=0
    )["test"]
    ours = label_errors_of_split("test", opinions, CLASSES, 0.8)["score"]
    wrong = labels != true
    theirs = average_precision_score(wrong, -get_label_quality_scores(labels, model))
    assert average_precision_score(wrong, ours) > theirs + 0.05


@pytest.mark.slow
def test_a_higher_precision_flags_fewer() -> None:
    features, true = images(2.5)
    labels = flipped(true, 0.1)
    counts = [
        diagnose(features, labels, precision=p)["label_errors"]["flagged"].sum() for p in (0.6, 0.8, 0.95)
    ]
    assert counts[0] > counts[1] > counts[2] > 0


@pytest.mark.slow
def test_a_wrong_label_is_no_ambiguity_and_an_overlap_is() -> None:
    features, true = images(1.0)
    labels = flipped(true, 0.05)
    rng = np.random.default_rng(1)
    between = rng.choice(N, 150, replace=False)
    centres = np.stack([features[true == c].mean(axis=0) for c in range(K)])
    features[between] += (centres[(true[between] + 1) % K] - centres[true[between]]) / 2
    opinions = gather_label_sources({"train": ExaminedSplit(np.arange(N), labels, None, features)}, K, seed=0)
    score = ambiguity_table(opinions, CLASSES).frame.sort("index")["score"].to_numpy()
    split = np.isin(np.arange(N), between)
    assert average_precision_score(split, score) > 0.6
    wrong = (labels != true) & ~split
    assert np.median(score[wrong]) < np.median(score[split]) / 2
    assert np.median(score[wrong]) == pytest.approx(np.median(score[~wrong & ~split]), abs=0.12)


@pytest.mark.slow
def test_a_model_that_knows_more_is_believed_more() -> None:
    """Features are useless here; only the model's probabilities tell the wrong labels."""
    true = np.arange(N) % K
    labels = flipped(true, 0.05)
    model = np.full((N, K), 0.02) + 0.9 * np.eye(K)[true]
    useless = np.random.default_rng(0).normal(size=(N, 8))
    opinions = gather_label_sources({"test": ExaminedSplit(np.arange(N), labels, model, useless)}, K, seed=0)[
        "test"
    ]
    assert isinstance(opinions, LabelSources)
    score = label_errors_of_split("test", opinions, CLASSES, 0.8)["score"]
    assert average_precision_score(labels != true, score) > 0.99
