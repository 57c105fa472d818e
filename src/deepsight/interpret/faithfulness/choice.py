"""Which maps to draw: of the methods that a model allows, the one that does best in small checks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import AskedModel, DifferentiableModel, OpenModel, Predict
from deepsight.interpret.attribution.attributor import Attributor, family_name
from deepsight.interpret.attribution.black_box import black_box_attributors
from deepsight.interpret.attribution.module_maps import module_attributors
from deepsight.interpret.attribution.stage_maps import StageMaps
from deepsight.interpret.faithfulness import grid_pointing, insertion_deletion
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs

IMAGES, STEPS, TILES, MOSAICS = 24, 6, 2, 16  # of the small checks; the full ones use other images
UNITS = {
    "method": "method of the maps",
    "layer": "layer of the maps",
    "cells": "cells along one side",
    "deletion": "probability lost in the map's order minus that in a random order, mean over the steps",
    "insertion": "probability regained in the map's order minus that in a random order, mean over the steps",
    "pointing": "share of evidence in the tile of its class minus chance; null where mosaics cannot be made",
    "score": "sum of the three",
    "chosen": "whether the maps are made so, true or false",
}


@dataclass(frozen=True)
class Choice:
    """The chosen maps, or None, with the table `attribution_methods` or the reason."""

    attributor: Attributor | None
    findings: Findings = field(default_factory=Findings)


def choose_attributor(inputs: ExaminationInputs, model: AskedModel) -> Choice:
    """The maps of a model: by its stages where it is a chain of them, else the method that does best.

    The full checks decide later whether the chosen maps are shown at all.
    """
    try:
        if isinstance(model, OpenModel):
            return Choice(StageMaps.of(model))
        candidates, images, labels = candidates_and_images(inputs, model)
        return best_of(candidates, model.logits, images, labels, seed=inputs.seed)
    except DeepSightError as error:
        return Choice(None, Findings.refused("maps", error))


def candidates_and_images(
    inputs: ExaminationInputs, model: AskedModel
) -> tuple[list[Attributor], Pixels, Ints]:
    """The methods that the model allows, and images that it classifies correctly.

    Raises:
        DeepSightError: there are too few such images, or no method is possible.
    """
    p = inputs.predictions
    sure = grid_pointing.confident_and_correct(p.labels, p.probabilities)
    if len(sure) < 2:
        raise DeepSightError(
            f"Expected at least two correctly classified images to check maps on, received {len(sure)}."
        )
    rows = np.sort(np.random.default_rng([inputs.seed, 1]).permutation(sure)[: 4 * IMAGES])
    images, labels = inputs.test.pixels(rows), p.labels[rows]
    found: list[Attributor] = []
    if isinstance(model, DifferentiableModel):
        found += module_attributors(model, images[:4], labels[:4])
    return found or black_box_attributors(model, seed=inputs.seed), images, labels


def best_of(
    candidates: Sequence[Attributor], predict: Predict, images: Pixels, labels: Ints, *, seed: int
) -> Choice:
    """The candidate with the largest sum of margins over random maps and chance."""
    rows = [margins(candidate, predict, images, labels, seed=seed) for candidate in candidates]
    scores = np.array([sum(v or 0.0 for v in (r["deletion"], r["insertion"], r["pointing"])) for r in rows])
    best = int(scores.argmax())
    frame = pl.DataFrame(
        [
            {
                "method": c.method, "layer": c.layer.name, "cells": c.layer.side, **row,
                "score": float(score), "chosen": i == best,
            }
            for i, (c, row, score) in enumerate(zip(candidates, rows, scores, strict=True))
        ],
        schema_overrides={"pointing": pl.Float64},
    )  # fmt: skip
    table = Table(
        frame, UNITS, min(IMAGES, len(images)),
        method="Deletion and insertion against a random map, grid pointing against chance, on a few "
        "images.",
        caption=f"{family_name(candidates[best])} has the largest margins of {len(candidates)} methods on "
        "these few images, which is no proof that it beats the next. It is checked in full on others.",
    )  # fmt: skip
    return Choice(candidates[best], Findings(Evidence({"attribution_methods": table})))


def margins(
    candidate: Attributor, predict: Predict, images: Pixels, labels: Ints, *, seed: int
) -> dict[str, float | None]:
    """Deletion, insertion and grid pointing of a candidate, less what knows nothing about the model gets."""
    few, own = images[:IMAGES], labels[:IMAGES]
    maps = candidate.maps(few, own[:, None])[:, 0]
    order = insertion_deletion.upsampled(maps, *few.shape[1:3])
    random = insertion_deletion.baseline_importance("random order", few, cells=maps.shape[1:], seed=seed)
    empty = np.full_like(few, 128)
    found: dict[str, float | None] = {}
    for name, start, end, sign in (
        ("deletion", few, empty, -1.0),
        ("insertion", insertion_deletion.blurred_images(few), few, 1.0),
    ):
        of_map, of_random = (
            insertion_deletion.curve_mean(start, end, o, own, predict, steps=STEPS) for o in (order, random)
        )
        found[name] = float(sign * (of_map - of_random).mean())
    found["pointing"] = pointing_margin(candidate, images, labels, seed=seed)
    return found


def pointing_margin(candidate: Attributor, images: Pixels, labels: Ints, *, seed: int) -> float | None:
    """The share of evidence in the own tile less chance, or None where mosaics cannot be made."""
    try:
        grid = grid_pointing.make_mosaics(images, labels, tiles=TILES, count=MOSAICS, seed=seed)
        shares = grid_pointing.energy_in_own_tile(candidate.for_mosaics(TILES).maps, grid)
    except DeepSightError:
        return None
    return float(shares.mean() - 1 / TILES**2)
