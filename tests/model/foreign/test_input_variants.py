"""The usual mistakes of preprocessing, each told apart from what is documented."""

from dataclasses import fields, replace

from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.input_variants import variants
from deepsight.model.preprocess import IMAGENET_MEAN, IMAGENET_STD

BASE = InputFormat(32, 32, mean=IMAGENET_MEAN, std=IMAGENET_STD)
TWO_MISTAKES = {"BGR from 0 to 255"}


def differences(one: InputFormat, other: InputFormat) -> set[str]:
    """What differs, with all that belongs to the scaling counted once."""
    changed = {f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)}
    scaling, fitting = {"scale", "mean", "std"}, {"fit", "crop_share"}
    return {"scaling" if name in scaling else "fitting" if name in fitting else name for name in changed}


def test_each_differs_in_one_respect() -> None:
    made = variants(BASE, stored=(64, 48))
    assert BASE not in made.values()
    for name, each in made.items():
        assert len(differences(BASE, each)) == 1 + (name in TWO_MISTAKES), name
    assert len(set(made.values())) == len(made)


def test_channels_are_named_by_what_they_become() -> None:
    assert variants(BASE, stored=(32, 32))["BGR"] == replace(BASE, channels="bgr")
    from_bgr = variants(replace(BASE, channels="bgr"), stored=(32, 32))
    assert from_bgr["RGB"] == BASE
    assert "BGR" not in from_bgr
    grey = InputFormat(32, 32, channels="grey", mean=(0.0,), std=(1.0,))
    assert not {"RGB", "BGR"} & set(variants(grey, stored=(32, 32)))


def test_what_changes_nothing_is_not_tried() -> None:
    same = variants(BASE, stored=(32, 32))
    assert not {"without antialiasing", "black borders", "a centre crop"} & set(same)
    assert "without antialiasing" in variants(BASE, stored=(64, 64))
    assert {"black borders", "a centre crop"} <= set(variants(BASE, stored=(24, 32)))
