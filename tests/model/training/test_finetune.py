"""The training is the recipe's: the same twice, changed by every field, and stopped when it diverges."""

import dataclasses
import math
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.engine_settings import EngineSettings
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.batch_integrity import verify_batch
from deepsight.model.engine import using_settings
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.training.finetune import finetune_phase
from deepsight.model.training.fit import preprocessing_of
from deepsight.model.training.linear_probe import linear_probe_phase
from deepsight.model.training.training_state import pooled, prepare_training, validate
from small import SMALL


def state_of(fitted) -> dict[str, torch.Tensor]:
    return fitted.predictor.classifier.state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_recipe_gives_the_same_model_bit_for_bit(trained, train, tmp_path):
    again = train(SMALL, cache=FeatureCache(tmp_path))
    assert same(state_of(trained), state_of(again))
    assert trained.history.drop("seconds").equals(again.history.drop("seconds"))


# For each field: what else the recipe must say for the field to matter, and another value of it.
OTHER: dict[str, tuple[dict[str, object], object]] = {
    "resolution": ({}, 64),
    "interpolation": ({}, "bilinear"),
    "antialias": ({}, False),
    "epochs": ({}, 1.0),
    "views": ({}, 1),
    "batch": ({}, 24),
    "learning_rate": ({}, 2e-3),
    "base_ratio": ({}, 0.1),
    "weight_decay": ({}, 0.5),
    "clip_norm": ({}, 0.05),
    "warmup": ({}, 0.6),
    "label_smoothing": ({}, 0.0),
    "averaged": ({}, 0.9),
    "batch_norm": ({}, "reestimated"),
    "mix": ({}, "mixup"),
    "mix_on": ({"mix": "cutmix"}, "images"),
    "mix_alpha": ({"mix": "cutmix"}, 2.0),
    "class_weights": ({}, (2.0, *(8 / 9,) * 9)),
    "hard_share": ({}, 0.5),
    "hard_after": ({"hard_share": 0.5}, 2),
    "confused": ({"confused_boost": 3.0}, ((3, 5),)),
    "confused_boost": ({"confused": ((3, 5),)}, 3.0),
    "trained_reductions": ({}, 1),
    "precision": ({}, "bf16-mixed"),
    "seed": ({}, 4),
    "view_seed": ({}, 4),
}


@pytest.fixture(scope="module")
def large_images(cifar10) -> Splits:
    """Real rows at 64 px, so that the recipe's 32 px reduce them and antialiasing counts."""
    train, test = cifar10

    def part(data: Dataset, start: int, n: int) -> Dataset:
        chosen = data.select(np.arange(start, start + n))
        return dataclasses.replace(chosen, images=chosen.pixels().repeat(2, 1).repeat(2, 2))

    return Splits(part(train, 0, 64), part(train, 1000, 32), part(test, 0, 10))


@pytest.fixture(scope="module")
def outcome(train, large_images):
    found: dict[Recipe, dict[str, torch.Tensor]] = {}

    def of(recipe: Recipe) -> dict[str, torch.Tensor]:
        if recipe not in found:
            with pytest.MonkeyPatch.context() as patch:  # what 64 images make of a network would be undone
                patch.setattr("deepsight.model.training.fit.clearly_below", lambda *_: False)
                found[recipe] = state_of(train(recipe, data=large_images))
        return found[recipe]

    return of


def test_every_field_of_the_recipe_is_under_this_contract():
    assert set(OTHER) == {field.name for field in fields(Recipe)}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_of_the_recipe_changes_the_model(outcome, name):
    needed, other = OTHER[name]
    base = replace(SMALL, **needed)
    assert not same(outcome(base), outcome(replace(base, **{name: other})))


def test_batch_norm_in_training_differs_from_both_others(outcome):
    of = [outcome(replace(SMALL, batch_norm=b)) for b in ("frozen", "reestimated", "training")]
    assert not same(of[0], of[2])
    assert not same(of[1], of[2])


def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_step(train):
    with pytest.raises(DeepSightError, match=r"before step 6 of 12.*learning rate \(now 1e\+20\)"):
        train(replace(SMALL, learning_rate=1e20))


def test_a_loss_that_turns_nan_in_any_batch_is_seen(training, monkeypatch):
    linear_probe_phase(training)
    true_batch = training.views.batch

    def poisoned(view, rows):
        maps = true_batch(view, rows)
        return maps * math.nan if 7 in rows else maps

    monkeypatch.setattr(training.views, "batch", poisoned)
    with pytest.raises(DeepSightError, match="Expected a finite loss"):
        list(finetune_phase(training))


def test_the_trunk_is_frozen_and_the_tail_and_head_are_trained(training):
    before = {n: v.clone() for n, v in training.classifier.state_dict().items()}
    linear_probe_phase(training)
    list(finetune_phase(training))
    after = training.classifier.state_dict()
    frozen = {id(v) for v in training.classifier.frozen_stages.state_dict(keep_vars=True).values()}
    kept = training.classifier.state_dict(keep_vars=True)
    for name, value in before.items():
        assert torch.equal(value, after[name]) == (id(kept[name]) in frozen), name


def test_frozen_head_gives_the_features_that_it_was_fitted_to(training, splits):
    phase = linear_probe_phase(training)
    epoch, head, frozen = phase.epoch, phase.probe, phase.features
    assert (epoch.phase, epoch.epoch, epoch.lr_head) == ("frozen", 0.0, 0.0)
    np.testing.assert_array_equal(frozen.rows, np.arange(len(splits.train)))
    logits = head(frozen.features)
    expected = -log_softmax(logits, axis=1)[np.arange(len(logits)), splits.train.labels].mean()
    assert epoch.train_loss == pytest.approx(expected, rel=1e-5)
    ours = training.classifier.head(torch.from_numpy(frozen.features)).detach().numpy()
    np.testing.assert_allclose(ours, logits, rtol=1e-3, atol=1e-3)


def test_validation_figures_equal_scikit_learn_s(training, splits):
    linear_probe_phase(training)
    loss, score = validate(training)
    preprocessing = preprocessing_of_small(training, splits)
    with torch.inference_mode():
        logits = training.classifier(preprocessing).numpy()
    labels = splits.validation.labels
    assert score == pytest.approx(
        f1_score(labels, logits.argmax(1), average="macro", labels=range(10), zero_division=0), abs=0.02
    )
    expected = -log_softmax(logits.astype(float), axis=1)[np.arange(len(labels)), labels].mean()
    assert loss == pytest.approx(expected, rel=0.01)  # validation maps were kept as float16


def preprocessing_of_small(training, splits) -> torch.Tensor:
    return training.views._preprocessing(splits.validation.pixels())


def test_history_shows_two_phases_falling_loss_and_the_lower_rate_of_the_base(train, cifar10, splits):
    more = replace(splits, train=cifar10[0].select(np.arange(2000, 2400)))
    history = train(replace(SMALL, epochs=4.0, views=1), data=more).history
    assert history["phase"].to_list() == ["frozen", *["finetune"] * 4]
    tuned = history.filter(history["phase"] == "finetune")
    assert tuned["train_loss"][-1] < 0.8 * tuned["train_loss"][0]
    np.testing.assert_allclose(tuned["lr_base"], SMALL.base_ratio * tuned["lr_head"], rtol=1e-9)
    assert (tuned["lr_base"] < tuned["lr_head"]).all()
    assert tuned["lr_head"].max() <= SMALL.learning_rate
    assert tuned["lr_head"][-1] < 0.01 * SMALL.learning_rate
    np.testing.assert_allclose(tuned["epoch"], np.arange(1, 5) * 384 / 400)


def test_a_part_of_a_pass_takes_its_part_of_the_steps(train):
    history = train(replace(SMALL, epochs=1.5)).history
    assert history["epoch"].to_list() == [0.0, 1.0, 1.5]


def test_fewer_rows_than_a_batch_still_train(train, splits):
    few = replace(splits, train=splits.train.select(np.arange(20)))
    assert train(replace(SMALL, epochs=1.0), data=few).history.height == 2


@pytest.mark.parametrize("batch_norm", ["frozen", "reestimated"])
def test_every_image_is_verified_before_the_network_sees_it(
    pretrained, splits, fabric, tmp_path, batch_norm, verified_batches
):
    recipe = replace(SMALL, batch_norm=batch_norm)
    classifier = Classifier(pretrained.backbone, 10)
    seen = []

    def verified():
        return sum(shape[0] for shape, _ in verified_batches)

    def watch(_, inputs):
        seen.append(len(inputs[0]))
        assert verified() >= sum(seen)

    training = prepare_training(
        classifier, splits, preprocessing_of(pretrained, recipe), recipe,
        cache=FeatureCache(tmp_path), fabric=fabric,
    )  # fmt: skip
    seen_before_fusing = len(splits.train) if batch_norm == "reestimated" else 0
    assert verified() == seen_before_fusing + len(splits.validation)
    training.classifier.backbone.conv_stem.register_forward_pre_hook(watch)
    with using_settings(EngineSettings("torch")):  # what OpenVINO compiled has no hooks to count in
        linear_probe_phase(training)
        list(finetune_phase(training))
    assert sum(seen) == 2 * (len(splits.train) + 1)
    assert verified() == seen_before_fusing + len(splits.validation) + sum(seen)


def test_the_first_refusal_of_a_batch_ends_the_training(train, tmp_path, monkeypatch):
    monkeypatch.setattr("deepsight.model.preprocess.verify_batch", partial(verify_batch, limit=0.1))
    with pytest.raises(DeepSightError, match="Batch 'validation, image 0'"):
        train(SMALL, cache=FeatureCache(tmp_path))


@pytest.mark.parametrize(
    "change", [{"class_weights": (1.0, 2.0)}, {"confused": ((3, 10),), "confused_boost": 2.0}]
)
def test_classes_that_are_not_there_are_refused(train, change):
    with pytest.raises(UsageError, match="each of 10 classes"):
        train(replace(SMALL, **change))


def test_pooled_features_leave_no_gradient(training):
    features = pooled(training.trainable, training.views.batch(0, np.arange(5)))
    assert features.shape == (5, 1280)
    assert all(p.grad is None for p in training.trainable.parameters())


def test_test_images_are_never_read(train, splits):
    class Closed:
        shape, dtype = splits.test.images.shape, splits.test.images.dtype

        def __len__(self) -> int:
            return self.shape[0]

        def __getitem__(self, rows: object) -> object:
            raise AssertionError("the test split was read")

    closed = replace(splits, test=replace(splits.test, images=Closed()))
    assert train(SMALL, data=closed).history.height == 3


@given(st.sampled_from(sorted(OTHER)))
def test_a_recipe_s_digest_names_it(name):
    needed, other = OTHER[name]
    base = replace(SMALL, **needed)
    changed = replace(base, **{name: other})
    assert base.digest() == replace(base).digest() != changed.digest()
