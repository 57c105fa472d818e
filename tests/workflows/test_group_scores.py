"""Groups that names, times or near-duplicates suggest, with the score under each."""

import numpy as np
import polars as pl
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.core.statistics.intervals import macro_f1
from deepsight.workflows.group_scores import COLUMN, with_suggested_groups


def scenes(n_scenes=20, each=6):
    """Frames of scenes in two classes, without telling names."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (n_scenes, 8, 8, 3)).repeat(each, axis=0)
    pixels = np.clip(pictures + rng.normal(0, 4, pictures.shape), 0, 255).astype(np.uint8)
    labels = np.arange(n_scenes).repeat(each) % 2
    files = np.array([f"{i:x}{'abcdef'[i % 6]}.png" for i in range(len(labels))], dtype=object)
    return Dataset(pixels, labels, ("cat", "dog"), np.arange(len(labels)), "all", files)


def parts():
    """Test images of every scene but four, which are in test alone; the model fails on these."""
    data = scenes()
    scene = data.ids // 6
    held = (data.ids % 6 == 0) | (scene < 4)
    test, train = data.select(np.flatnonzero(held)), data.select(np.flatnonzero(~held))
    wrong = np.isin(test.ids // 6, [0, 1, 2])
    predicted = np.where(wrong, 1 - test.labels, test.labels)
    p = Predictions(test.ids, test.labels, np.eye(2, dtype=np.float32)[predicted], np.zeros((len(test), 0)))
    return test, train, p


TIMES = {"all": np.arange(120) // 6 * 3600.0 + np.arange(120) % 6 * 2.0}


def test_times_of_exposure_suggest_scenes():
    test, train, p = parts()
    said = []
    found = with_suggested_groups(test, [train], p, taken=TIMES, log=said.append)
    row = found.evidence["suggested_groups"].frame.row(0, named=True)
    alone = np.isin(test.ids // 6, range(4))
    assert row["by"] == "times of exposure"
    assert (row["groups"], row["n_with_neighbour"], row["n_without_neighbour"]) == (20, 16, 24)
    assert row["macro_f1"] == pytest.approx(macro_f1(p.labels, p.predicted, 2))
    assert row["macro_f1_without_neighbour"] == pytest.approx(
        macro_f1(p.labels[alone], p.predicted[alone], 2)
    )
    assert row["effective_n"] < len(test)
    assert found.test.metadata is not None
    assert (found.test.metadata[COLUMN].to_numpy() == np.where(alone, "no", "yes")).all()
    assert "0.2" in said[0]
    assert "on the 24 without" in said[0]


def test_near_duplicates_suggest_groups():
    test, train, p = parts()
    pairs = pl.DataFrame(
        {
            "split_a": ["test"] * 16, "index_a": np.arange(24, 120, 6), "split_b": ["train"] * 16,
            "index_b": np.arange(24, 120, 6) + 1, "flagged": [True] * 15 + [False],
        }
    )  # fmt: skip
    row = (
        with_suggested_groups(test, [train], p, pairs=pairs)
        .evidence["suggested_groups"]
        .frame.row(0, named=True)
    )
    assert (row["by"], row["groups"], row["n_with_neighbour"]) == ("near-duplicates", 15, 15)


def test_nothing_is_suggested_without_a_reason():
    test, train, p = parts()
    far_apart = {"all": np.arange(120) * 3600.0}
    assert not with_suggested_groups(test, [train], p, taken=far_apart).evidence
    assert with_suggested_groups(test, [train], p).test is test
    assert not with_suggested_groups(test, [], p, taken=TIMES).evidence
