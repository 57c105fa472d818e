"""Verdicts on models whose reliance is known: one reads the background, one the object, one is in between."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from deepsight.core.evidence import Evidence, Table
from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.effects import SwapEffect
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.pair_swap import pair_swap
from deepsight.interpret.background.swap_test import swap_test
from scenes import CLASSES, looks_at_corner, looks_at_object, scenes

PERFECT = MaskQuality(1.0, 1.0, 0.0, 10)


def judged(predict: Callable[[np.ndarray], np.ndarray], *, n: int = 400, **dials: object) -> Table:
    images, labels, masks = scenes(n)
    dials = {"quality": PERFECT, "objects": n, "donors": 2} | dials
    return swap_test(images, labels, masks, predict, classes=CLASSES, **dials)  # type: ignore[arg-type]


def between(predict: Callable[[np.ndarray], np.ndarray]) -> SwapEffect:
    """Red and blue on each other's backgrounds."""
    images, labels, masks = scenes(400)
    found = pair_swap(
        cut_out(images, masks), labels, masks.accepted, predict,
        pair=(0, 2), classes=CLASSES, objects=100, donors=2, seed=0,
    )  # fmt: skip
    assert found is not None
    return found.effect


def row(table: Table, test: str, name: str = "all") -> dict[str, object]:
    return table.frame.filter((pl.col("test") == test) & (pl.col("class") == name)).row(0, named=True)


@pytest.mark.slow
def test_a_model_that_reads_the_background_is_biased() -> None:
    table = judged(looks_at_corner, between=[between(looks_at_corner)])
    whole = row(table, "swap")
    assert whole["effect"] == pytest.approx(1)
    assert whole["verdict"] == "BIASED"
    assert {row(table, "swap", c)["verdict"] for c in CLASSES} == {"BIASED"}
    assert row(table, "pair swap", "red / blue")["effect"] == pytest.approx(1)
    assert row(table, "background only")["verdict"] == "above chance"
    assert row(table, "halo: grown")["verdict"] == row(table, "halo: shrunk")["verdict"] == "BIASED"
    assert table.caption.startswith("BIASED")


@pytest.mark.slow
def test_a_model_that_reads_the_object_is_clear() -> None:
    table = judged(looks_at_object, between=[between(looks_at_object)])
    assert row(table, "swap")["effect"] == pytest.approx(0, abs=0.01)
    assert row(table, "swap")["verdict"] == "CLEAR"
    assert row(table, "pair swap", "red / blue")["verdict"] == "CLEAR"
    assert row(table, "placebo masks")["verdict"] == "holds"
    assert Evidence().add(context=table)["context"].n == 400


@pytest.mark.slow
def test_masks_that_hold_nothing_clear_nobody() -> None:
    """With masks in the wrong place every swap replaces the object, which must not pass for a clean model."""
    images, labels, masks = scenes(200)
    wrong = Masks(np.roll(masks.inside, 64, axis=(1, 2)), masks.accepted)
    table = swap_test(images, labels, wrong, looks_at_object, classes=CLASSES, quality=PERFECT, objects=200)
    assert row(table, "placebo masks")["verdict"] == "fails"
    assert "CLEAR" not in table.frame["verdict"].to_list()


@pytest.mark.slow
def test_masks_known_to_be_poor_clear_nobody() -> None:
    table = judged(looks_at_object, quality=MaskQuality(0.6, 0.7, 0.3, 60))
    assert "CLEAR" not in table.frame["verdict"].to_list()
    assert "did not pass" in table.caption


def test_few_objects_are_inconclusive_with_what_could_have_been_seen() -> None:
    table = judged(looks_at_object, n=16)
    whole = row(table, "swap")
    assert whole["verdict"] == "INCONCLUSIVE"
    assert float(str(whole["minimum_detectable"])) > 0.05


def grounds_of_many_colours(predict: Callable[[np.ndarray], np.ndarray]) -> Table:
    """In six of ten scenes the ground has the class's colour, so donors of other classes can match."""
    images, labels, masks = scenes(160, aligned=0.6, seed=2)
    return swap_test(images, labels, masks, predict, classes=CLASSES, quality=PERFECT, donors=3)


def test_colour_that_is_the_cue_is_bias() -> None:
    """The matched control takes the colour away, which is the cue; the plain colours confirm the verdict."""
    table = grounds_of_many_colours(looks_at_corner)
    assert row(table, "matched swap")["verdict"] == "not above 0"
    assert float(str(row(table, "mean colour")["ci_low"])) > 0.05
    assert row(table, "swap")["verdict"] == "BIASED"
    assert "alike in mean colour (control)" in table.caption


@pytest.mark.slow
def test_a_gap_that_no_control_confirms_is_no_bias() -> None:
    """A model that is only put off by textured grounds of unusual colour: neither control has a gap."""

    def put_off(images: np.ndarray) -> np.ndarray:
        plain = images[:, :2, :2].reshape(len(images), 4, 3).std(axis=1).max(axis=1) < 1
        return np.where(plain[:, None], looks_at_object(images), looks_at_corner(images))

    table = grounds_of_many_colours(put_off)
    assert float(str(row(table, "swap")["ci_low"])) > 0.05
    assert row(table, "matched swap")["verdict"] == row(table, "mean colour")["verdict"] == "not above 0"
    assert "BIASED" not in table.frame.filter(test="swap")["verdict"].to_list()


@pytest.mark.slow
def test_rejected_masks_stand_beside_the_verdict() -> None:
    images, labels, masks = scenes(160)
    accepted = (labels != 1) | (np.arange(160) % 8 < 4)
    table = swap_test(
        images, labels, Masks(masks.inside, accepted), looks_at_object, classes=CLASSES, quality=PERFECT
    )
    assert row(table, "swap", "green")["rejected"] == pytest.approx(0.5)
    assert row(table, "swap", "red")["rejected"] == 0
    assert row(table, "placebo masks")["rejected"] is None
    assert "12% of the masks were rejected, by class 0% to 50%" in table.caption
    none = Masks(masks.inside, labels != 2)
    left = swap_test(images, labels, none, looks_at_object, classes=CLASSES, quality=PERFECT)
    assert "Left out for lack of masks: blue." in left.caption


@pytest.mark.slow
def test_gap_is_a_difference_of_two_accuracies() -> None:
    """A model that reads the corner in a known half of the images, and the object in the others."""

    def half(images: np.ndarray) -> np.ndarray:
        corner = images[:, 1, 2, 0] % 2 == 0
        return np.where(corner[:, None], looks_at_corner(images), looks_at_object(images))

    whole = row(judged(half), "swap")
    assert float(str(whole["ci_low"])) < 0.5 < float(str(whole["ci_high"]))
    assert whole["verdict"] == "BIASED"


@pytest.mark.slow
def test_same_seed_same_table_and_inputs_untouched() -> None:
    images, labels, masks = scenes(80)
    before = images.copy()
    tables = [
        swap_test(images, labels, masks, looks_at_object, classes=CLASSES, quality=PERFECT, seed=s).frame
        for s in (4, 4)
    ]
    assert tables[0].equals(tables[1])
    assert np.array_equal(images, before)


@pytest.mark.slow
def test_delta_moves_the_verdict() -> None:
    assert row(judged(looks_at_corner, delta=0.9), "swap")["verdict"] == "BIASED"
    assert row(judged(looks_at_object, delta=0.001), "swap")["verdict"] == "INCONCLUSIVE"
