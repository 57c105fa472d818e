"""Cheap retrainings: on the trained model's own maps, repeatable, and free of rows that are left out."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric import Fabric

from deepsight.core.dataset import Splits
from deepsight.core.recipe import Recipe
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import Pretrained
from deepsight.model.traced_backbone import create_backbone
from deepsight.model.training.fit import Fitted, base_recipe, fit_model
from deepsight.model.training.retraining import Retrainer
from small import SMALL


@pytest.fixture
def retrainer(
    trained: Fitted, splits: Splits, packaged: Pretrained, shared_cache: FeatureCache, fabric: Fabric
) -> Retrainer:
    return Retrainer(
        trained.predictor, splits, SMALL, splits.test.select(np.arange(16)),
        lambda _: copy.deepcopy(packaged), shared_cache, fabric,
    )  # fmt: skip


def test_the_last_stage_starts_where_the_model_is(retrainer: Retrainer, trained: Fitted) -> None:
    """Without a real step it says what the model says: maps and stages join where they were cut."""
    own = trained.predictor.logits(retrainer.examined.pixels())
    still = replace(retrainer, recipe=replace(SMALL, learning_rate=1e-9))
    assert still.last_stage(np.arange(64), 0) == pytest.approx(own, abs=0.05)  # maps in float16
    assert np.abs(retrainer.last_stage(np.arange(64), 0) - own).mean() > 0.1


def test_few_rows_are_trained_on_in_many_small_steps(
    retrainer: Retrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four steps at twice the peak rate would break the model: 64 rows take 16 steps, of a lower rate."""
    seen: list[Recipe] = []
    monkeypatch.setattr(Retrainer, "_finetune", lambda self, training: seen.append(training.recipe))
    retrainer.last_stage(np.arange(64), 0)
    (recipe,) = seen
    assert recipe.batch * 8 == 64  # the smallest batch that there is
    assert recipe.epochs * 64 / recipe.batch == 16
    assert recipe.learning_rate == pytest.approx(2 * SMALL.learning_rate * 8 / SMALL.batch)


@pytest.mark.parametrize(("epochs", "fewest"), [(1.0, 4), (2.0, 8), (9.0, 16)])
def test_a_part_of_the_rows_is_trained_in_as_many_steps_as_the_model_up_to_sixteen(
    retrainer: Retrainer, monkeypatch: pytest.MonkeyPatch, epochs: float, fewest: int
) -> None:
    """Else a part would show what too few steps lose, and more images would be said to gain that."""
    seen: list[Recipe] = []
    monkeypatch.setattr(Retrainer, "_finetune", lambda self, training: seen.append(training.recipe))
    n = len(retrainer.splits.train)
    asked = replace(retrainer, recipe=replace(SMALL, batch=n // 4, epochs=epochs))  # four steps per pass
    asked.whole(np.arange(n // 2), 0)
    (recipe,) = seen
    assert recipe.epochs * (n // 2 // recipe.batch) == pytest.approx(max(fewest, 2 * epochs), abs=1)


def test_the_model_itself_is_left_as_it_was(retrainer: Retrainer, trained: Fitted) -> None:
    before = trained.predictor.logits(retrainer.examined.pixels())
    retrainer.last_stage(np.arange(64), 1)
    retrainer.whole(np.arange(64), 1)
    assert np.array_equal(trained.predictor.logits(retrainer.examined.pixels()), before)


def test_a_seed_repeats_and_another_differs(retrainer: Retrainer) -> None:
    rows = np.arange(64)
    first = retrainer.last_stage(rows, 3)
    assert np.array_equal(retrainer.last_stage(rows, 3), first)
    assert not np.array_equal(retrainer.last_stage(rows, 4), first)


def test_features_are_those_of_the_model(retrainer: Retrainer, trained: Fitted, splits: Splits) -> None:
    rows = np.array([5, 2, 60])
    expected = trained.predictor.features(splits.train.pixels(rows))
    assert retrainer.features(rows) == pytest.approx(expected, abs=0.02)  # float16 maps


def test_a_whole_training_takes_other_resolutions(retrainer: Retrainer) -> None:
    same, larger = (retrainer.whole(np.arange(48), 0, resolution=side) for side in (0, 64))
    assert same.shape == larger.shape == (16, 10)
    assert not np.array_equal(same, larger)


def test_other_images_and_labels_take_the_place_of_a_rows_own(retrainer: Retrainer, splits: Splits) -> None:
    rows = np.arange(64)
    own = retrainer.last_stage(rows, 0)
    same = retrainer.last_stage(rows, 0, pixels=splits.train.pixels(rows), labels=splits.train.labels[rows])
    assert same == pytest.approx(own, abs=0.05)  # maps in float16
    assert not np.array_equal(
        retrainer.whole(rows, 0, pixels=splits.train.pixels(rows)[::-1].copy()), retrainer.whole(rows, 0)
    )
    assert not np.allclose(retrainer.last_stage(rows, 0, labels=(splits.train.labels[rows] + 1) % 10), own)


def test_rows_behind_the_training_split_are_the_unused_ones(retrainer: Retrainer, splits: Splits) -> None:
    n = len(splits.train)
    spare = replace(retrainer, unused=splits.test)
    found = spare.whole(np.concatenate([np.arange(40), n + np.arange(8)]), 0)
    assert found.shape == (16, 10)
    assert not np.array_equal(found, spare.whole(np.arange(48), 0))
    assert np.array_equal(spare.whole(np.arange(48), 0), retrainer.whole(np.arange(48), 0))


def test_a_transformer_is_retrained_on_its_tokens(splits: Splits, fabric: Fabric, tmp_path: Path) -> None:
    pretrained = Pretrained(
        create_backbone("test_vit"), "test_vit", "random weights", "", (), (0.5,) * 3, (0.5,) * 3
    )
    few = replace(
        splits, train=splits.train.select(np.arange(32)), validation=splits.validation.select(np.arange(32))
    )
    recipe = replace(base_recipe(pretrained, 0), resolution=160, epochs=1, views=1, batch=16)
    cache = FeatureCache(tmp_path)
    fitted = fit_model(copy.deepcopy(pretrained), few, recipe, cache=cache, fabric=fabric)
    retrainer = Retrainer(
        fitted.predictor, few, recipe, splits.test.select(np.arange(4)),
        lambda _: copy.deepcopy(pretrained), cache, fabric,
    )  # fmt: skip
    assert retrainer.last_stage(np.arange(32), 0).shape == (4, 10)
    assert retrainer.whole(np.arange(32), 0).shape == (4, 10)
    assert retrainer.features(np.arange(8)).shape[0] == 8
