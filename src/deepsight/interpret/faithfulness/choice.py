"""The choice of the attribution method: the one that does best in small checks."""

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
from deepsight.interpret.findings import NO_TIME, Findings
from deepsight.interpret.inputs import ExaminationInputs

STEPS, TILES, MOSAICS = 6, 2, 16  # of the small checks
FOR_MOSAICS = 4  # images that mosaics are made of, for each of the other small checks
MOST_SHARE = 0.25  # of the images that maps can be checked on; the full checks take the rest
UNITS = {
    "method": "method of the maps",
    "layer": "layer of the maps",
    "cells": "cells along one side",
    "deletion": "probability lost in the map's order minus that in a random order, mean over the steps",
    "insertion": "probability regained in the map's order minus that in a random order, mean over the steps",
    "pointing": "share of evidence in the tile of its class minus chance; null where mosaics cannot be made",
    "score": "sum of the three",
    "chosen": "whether the maps are made by this method",
}


@dataclass(frozen=True)
class Choice:
    """The chosen maps, or None.

    Attributes:
        attributor: the chosen maps.
        findings: the table `attribution_methods`, or the reason why there are no maps.
        rows: positions of the test images that served to choose, int64 (m,); the full checks use others.
    """

    attributor: Attributor | None
    findings: Findings = field(default_factory=Findings)
    rows: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def choose_attributor(inputs: ExaminationInputs, model: AskedModel, images: int) -> Choice:
    """The maps of a model: by its stages where it is a chain of them, else the method that does best.

    The full checks decide later, on other images, whether the chosen maps are shown at all.

    Args:
        inputs: what is examined.
        model: the model.
        images: by which methods are compared; 0 where there is no time to compare them.
    """
    try:
        if isinstance(model, OpenModel):
            return Choice(StageMaps.of(model))
        if not images:
            return Choice(None, Findings.refused("maps", NO_TIME))
        rows = choosing_rows(inputs, images)
        pixels, labels = inputs.test.pixels(rows), inputs.predictions.labels[rows]
        candidates = candidates_of(model, pixels, labels, seed=inputs.seed)
        best, table = best_of(candidates, model.logits, pixels, labels, count=images, seed=inputs.seed)
        return Choice(best, Findings(Evidence({"attribution_methods": table})), rows)
    except DeepSightError as error:
        return Choice(None, Findings.refused("maps", error))


def choosing_rows(inputs: ExaminationInputs, images: int) -> Ints:
    """Positions of confidently and correctly classified images, at most a quarter of these, ascending.

    Raises:
        DeepSightError: there are too few such images.
    """
    p = inputs.predictions
    sure = grid_pointing.confident_and_correct(p.labels, p.probabilities)
    if len(sure) < 2:
        raise DeepSightError(
            f"Expected at least two correctly classified images to check maps on, received {len(sure)}."
        )
    most = max(2, min(FOR_MOSAICS * images, int(MOST_SHARE * len(sure))))
    return np.sort(np.random.default_rng([inputs.seed, 1]).permutation(sure)[:most])


def candidates_of(model: AskedModel, images: Pixels, labels: Ints, *, seed: int) -> list[Attributor]:
    """The methods that the model allows: gradient-based where it is differentiable, else black-box ones."""
    found: list[Attributor] = []
    if isinstance(model, DifferentiableModel):
        found += module_attributors(model, images[:4], labels[:4])
    return found or black_box_attributors(model, seed=seed)


def best_of(
    candidates: Sequence[Attributor],
    predict: Predict,
    images: Pixels,
    labels: Ints,
    *,
    count: int,
    seed: int,
) -> tuple[Attributor, Table]:
    """The candidate with the largest sum of margins over random maps and chance, and their table.

    Args:
        candidates: methods of maps.
        predict: the model, images -> logits.
        images: uint8 (n, h, w, 3), which mosaics are made of.
        labels: int64 (n,).
        count: images, of the first ones, for deletion and insertion.
        seed: random seed.
    """
    few = slice(0, count)
    rows = [
        perturbation_margins(c, predict, images[few], labels[few], seed=seed)
        | {"pointing": pointing_margin(c, images, labels, seed=seed)}
        for c in candidates
    ]
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
        frame, UNITS, min(count, len(images)),
        method="Deletion and insertion against a random map, grid pointing against chance, on a few "
        "images.",
        caption=f"{family_name(candidates[best])} has the largest margins of {len(candidates)} methods on "
        "these few images, which does not prove that it beats the next. The full checks use other images.",
    )  # fmt: skip
    return candidates[best], table


def perturbation_margins(
    candidate: Attributor, predict: Predict, images: Pixels, labels: Ints, *, seed: int
) -> dict[str, float | None]:
    """Deletion and insertion in the order of a candidate's maps, less those in a random order."""
    maps = candidate.maps(images, labels[:, None])[:, 0]
    order = insertion_deletion.upsampled(maps, *images.shape[1:3])
    random = insertion_deletion.baseline_importance("random order", images, cells=maps.shape[1:], seed=seed)
    empty = np.full_like(images, 128)
    found: dict[str, float | None] = {}
    for name, start, end, sign in (
        ("deletion", images, empty, -1.0),
        ("insertion", insertion_deletion.blurred_images(images), images, 1.0),
    ):
        of_map, of_random = (
            insertion_deletion.curve_mean(start, end, o, labels, predict, steps=STEPS)
            for o in (order, random)
        )
        found[name] = float(sign * (of_map - of_random).mean())
    return found


def pointing_margin(candidate: Attributor, images: Pixels, labels: Ints, *, seed: int) -> float | None:
    """The share of evidence in the own tile less chance, or None where mosaics cannot be made."""
    try:
        grid = grid_pointing.make_mosaics(images, labels, tiles=TILES, count=MOSAICS, seed=seed)
        shares = grid_pointing.energy_in_own_tile(candidate.for_mosaics(TILES).maps, grid)
    except DeepSightError:
        return None
    return float(shares.mean() - 1 / TILES**2)
