"""The effect of leakage: planted where copies teach what nothing else could, absent where none are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric import Fabric

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.recipe import Recipe
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import load_pretrained
from deepsight.treat.trial import leakage_effect
from deepsight.treat.trial.checkpoints import TrialConfig
from deepsight.treat.trial.leakage_effect import Leakage, affordable_steps, measure_leakage
from deepsight.treat.trial.leakage_table import accuracy_effect, leakage_table
from deepsight.treat.trial.store import Store

COPIES = 30
RECIPE = Recipe(resolution=32, batch=32, epochs=1.0, views=1, trained_reductions=0)


@pytest.fixture(scope="module")
def official(cifar10: tuple[Dataset, Dataset]) -> tuple[Dataset, Dataset]:
    """Train and test; the first 30 test images are rows 150 to 179 of train, under labels drawn by lot.

    Nothing but the copies can teach these labels.
    """
    train, test = (part.select(np.arange(180)) for part in cifar10)
    labels, pixels = train.labels.copy(), test.pixels().copy()
    labels[150:] = np.random.default_rng(0).integers(10, size=COPIES)
    pixels[:COPIES] = train.pixels(slice(150, None))
    answers = test.labels.copy()
    answers[:COPIES] = labels[150:]
    return train.with_labels(labels), replace(test, images=pixels, labels=answers)


@pytest.fixture(scope="module")
def config(official: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> TrialConfig:
    train, test = official
    splits = Splits(train.select(np.arange(120)), train.select(np.arange(120, 150)), test)
    backbone, cache = load_pretrained("tf_efficientnet_lite0"), FeatureCache(tmp_path_factory.mktemp("maps"))
    return TrialConfig(splits, RECIPE, lambda name: backbone, cache, Fabric(accelerator="cpu", devices=1))


def copied(train: Dataset, test: np.ndarray) -> Leakage:
    return Leakage(train.select(np.arange(150, 180)), np.arange(COPIES), test, np.arange(COPIES))


def test_answers_that_only_copies_teach_are_an_effect_and_the_control_has_none(
    config: TrialConfig, official: tuple[Dataset, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leakage = copied(official[0], official[1].ids[:COPIES])
    recipes = [replace(RECIPE, seed=seed, view_seed=0) for seed in range(2)]
    monkeypatch.setattr(leakage_effect, "MOST", 0.25)

    def measured() -> list[dict[str, float]]:
        found = measure_leakage(config, leakage, recipes=recipes, steps=4, store=Store(tmp_path))
        assert "is conservative next to published scores" in found.caption
        return found.frame.rows(named=True)  # type: ignore[return-value]

    near, other = measured()
    assert near["n"] == other["n"] == COPIES
    assert near["accuracy_dropped"] < 0.35
    assert near["ci_low"] > 0.3
    assert other["ci_low"] < 0 < other["ci_high"]
    monkeypatch.setattr(leakage_effect, "arm_training", None)  # an interrupted trial trains nothing again
    assert measured() == [near, other]


def test_images_that_are_no_copies_have_no_effect(
    config: TrialConfig, official: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    """The same training rows, said to repeat test images of which they are no copies."""
    leakage = copied(official[0], official[1].ids[60 : 60 + COPIES])
    found = measure_leakage(config, leakage, recipes=[RECIPE], steps=4, store=Store(tmp_path))
    near = found.frame.row(0, named=True)
    assert near["ci_low"] < 0.05
    assert near["p_value"] > 0.05 or near["difference"] < 0
    assert "conservative" not in found.caption
    assert near["n"] == 24  # whole groups, as many as a fifth of the other training rows


@pytest.mark.slow
def test_effect_of_copies_covers_the_truth() -> None:
    """Images vary and seeds add nothing to them, where the interval is careful; the effect is 0.2."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        base, lift = rng.random(80) * 0.6, rng.random(80) * 0.4
        dropped = rng.random((5, 80)) < base
        kept = rng.random((5, 80)) < base + lift
        found = accuracy_effect(dropped, kept)
        covered += found.low <= 0.2 <= found.high
    assert covered / 300 >= 0.93


def test_without_an_effect_nothing_is_said_of_published_scores() -> None:
    right = np.random.default_rng(1).random((3, 60)) < 0.8
    table = leakage_table(right, right, np.arange(60) < 30, copies=30, train=500, leaked=0.03)
    assert "no effect shown" in table.caption
    assert "published" not in table.caption


def test_groups_stay_whole_when_few_copies_are_taken(official: tuple[Dataset, Dataset]) -> None:
    whole = Leakage(
        official[0].select(np.arange(8)), np.arange(8) // 2, np.arange(6), np.array([0, 0, 1, 2, 3, 3])
    )
    part = whole.limited(4, np.random.default_rng(0))
    assert len(part.rows) == 4
    assert set(part.row_cluster) == set(part.test_cluster)
    assert not whole.measurable


def test_steps_follow_the_seconds_or_none_are_taken() -> None:
    assert affordable_steps(120, 0.1, 500, 5) == 100
    assert affordable_steps(1e6, 0.1, 500, 5) == 500
    assert affordable_steps(10, 0.1, 500, 5) == 0
    assert affordable_steps(1, 1e-6, 4, 2) == 4


def test_without_other_test_images_there_is_no_control_and_no_conclusion() -> None:
    right = np.random.default_rng(0).random((3, 40)) < 0.9
    table = leakage_table(right & False, right, np.ones(40, dtype=bool), copies=40, train=500, leaked=1.0)
    assert len(table.frame) == 1
    assert "there is no control" in table.caption
    assert "conservative" not in table.caption
