"""A recipe is valid from birth, and its digest names all of it."""

import json
from dataclasses import fields, replace
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deepsight.core.errors import UsageError
from deepsight.core.recipe import Precision, Recipe

ALTERED = Recipe(
    resolution=96, interpolation="bilinear", antialias=False, epochs=0.5, views=1, batch=64,
    learning_rate=2e-3, base_ratio=0.5, weight_decay=0.0, clip_norm=0.5, warmup=0.1, label_smoothing=0.0,
    averaged=0.5,
    batch_norm="training", mix="cutmix", mix_on="images", mix_alpha=1.0, class_weights=(0.5, 1.5),
    hard_share=0.5, hard_after=2, confused=((0, 1),), confused_boost=2.0, trained_reductions=1, seed=7,
    view_seed=9, precision="bf16-mixed",
)  # fmt: skip


def test_cached_views_are_in_float32_unless_everything_is_cast():
    views = {name: Recipe(precision=name).view_precision for name in get_args(Precision)}
    assert views == {"32-true": "32-true", "bf16-mixed": "bf16-mixed", "bf16-steps": "32-true"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("epochs", float("nan")), ("epochs", float("inf")), ("batch", -1),
        ("learning_rate", 0.0), ("views", 0), ("mix_alpha", 0.0), ("confused_boost", -2.0),
        ("hard_after", 0), ("clip_norm", 0.0), ("base_ratio", 0.0), ("base_ratio", 1.5), ("hard_share", 0.0),
        ("hard_share", 1.1), ("warmup", -0.1), ("warmup", 2.0), ("label_smoothing", -0.1),
        ("label_smoothing", 1.5), ("averaged", 1.1), ("weight_decay", -1.0),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(name, value):
    with pytest.raises(UsageError, match=f"{name} = {value}|{name}={value}"):
        Recipe(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("mix", "mixUp", "mixup"), ("mix_on", "image", "images"), ("batch_norm", "froze", "frozen"),
        ("interpolation", "bicubc", "bicubic"), ("trained_reductions", 3, "known are: 0, 1, 2"),
    ],
)  # fmt: skip
def test_an_unknown_choice_is_refused_with_near_ones(name, value, near):
    with pytest.raises(UsageError, match=rf"Unknown {name} '{value}'.*{near}"):
        Recipe(**{name: value})


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_field_is_in_the_digest(name):
    other = replace(Recipe(), **{name: getattr(ALTERED, name)})
    assert other != Recipe()
    assert other.digest() != Recipe().digest()


def test_a_description_survives_yaml_and_json_and_names_the_same_recipe():
    about = ALTERED.to_dict()
    assert yaml.safe_load(yaml.safe_dump(about)) == json.loads(json.dumps(about)) == about
    tuples = {"class_weights": tuple(about["class_weights"]), "confused": ((0, 1),)}
    assert Recipe(**{**about, **tuples}) == ALTERED


@given(st.floats(1e-6, 10), st.integers(1, 1000))
def test_equal_recipes_have_equal_digests(rate, batch):
    first, second = (Recipe(learning_rate=rate, batch=batch) for _ in range(2))
    assert first.digest() == second.digest()
    assert len(first.digest()) == 12


@pytest.mark.parametrize(
    ("change", "mixes"),
    [({}, False), ({"mix": "mixup"}, False), ({"mix": "mixup", "mix_on": "images"}, True)],
)
def test_pixels_are_mixed_only_when_asked_for(change, mixes):
    assert Recipe(**change).mixes_images is mixes
