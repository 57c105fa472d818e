"""The choice of the attribution method: the one that does best in small checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Floats32, Ints, Pixels
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

STEPS, TILES, MOSAICS = 6, 2, 16  # of the small checks
FOR_MOSAICS = 4  # images that mosaics are made of, for each of the other small checks
SIGNS = {"deletion": -1.0, "insertion": 1.0}
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
        images: by which methods are compared; with 0 the first that the model allows is taken.
    """
    try:
        if isinstance(model, OpenModel):
            return Choice(StageMaps.of(model))
        rows = choosing_rows(inputs, images)
        pixels, labels = inputs.test.pixels(rows), inputs.predictions.labels[rows]
        candidates = candidates_of(model, pixels, labels, seed=inputs.seed)
        if not images:
            return Choice(candidates[0], not_compared(candidates), rows)
        best, table = best_of(candidates, model.logits, pixels, labels, count=images, seed=inputs.seed)
        return Choice(best, Findings(Evidence({"attribution_methods": table})), rows)
    except DeepSightError as error:
        return Choice(None, Findings.refused("maps", error))


def not_compared(candidates: Sequence[Attributor]) -> Findings:
    """That the first method was taken, and why; nothing where there is only one."""
    if len(candidates) == 1:
        return Findings()
    first = family_name(candidates[0])
    return Findings.refused(
        "attribution_methods",
        f"There was no time to compare {len(candidates)} methods, so the maps are by {first}, the first that "
        "the model allows. Allow more --minutes.",
    )


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
    few, own = images[:count], labels[:count]

    @cache  # candidates with as many cells share their baseline
    def random_order(cells: tuple[int, int]) -> dict[str, Floats]:
        order = insertion_deletion.baseline_importance("random order", few, cells=cells, seed=seed)
        return perturbed_probabilities(order, predict, few, own)

    rows: list[dict[str, float | None]] = []
    for candidate in candidates:
        maps = candidate.maps(few, own[:, None])[:, 0]
        random = random_order((maps.shape[1], maps.shape[2]))
        margins = perturbation_margins(maps, random, predict, few, own)
        rows.append(margins | {"pointing": pointing_margin(candidate, images, labels, seed=seed)})
    scores = [sum(row[name] or 0.0 for name in ("deletion", "insertion", "pointing")) for row in rows]
    best = int(np.argmax(scores))
    return candidates[best], methods_table(candidates, rows, scores, best, n=len(few))


def methods_table(
    candidates: Sequence[Attributor],
    margins: Sequence[Mapping[str, float | None]],
    scores: Sequence[float],
    best: int,
    *,
    n: int,
) -> Table:
    """The table `attribution_methods`: one row per method; the one at position `best` is chosen."""
    frame = pl.DataFrame(
        [
            {
                "method": c.method, "layer": c.layer.name, "cells": c.layer.side, **row,
                "score": float(score), "chosen": i == best,
            }
            for i, (c, row, score) in enumerate(zip(candidates, margins, scores, strict=True))
        ],
        schema_overrides={"pointing": pl.Float64},
    )  # fmt: skip
    return Table(
        frame, UNITS, n,
        method="Deletion and insertion against a random map, grid pointing against chance, on a few "
        "images.",
        caption=f"{family_name(candidates[best])} has the largest margins of {len(candidates)} methods on "
        "these few images, which does not prove that it beats the next. The full checks use other images.",
    )  # fmt: skip


def perturbation_margins(
    maps: Floats32, random: Mapping[str, Floats], predict: Predict, images: Pixels, labels: Ints
) -> dict[str, float | None]:
    """Deletion and insertion in the order of a candidate's maps, less those in a random order."""
    found = perturbed_probabilities(maps, predict, images, labels)
    return {name: float(SIGNS[name] * (found[name] - random[name]).mean()) for name in SIGNS}


def perturbed_probabilities(
    maps: NDArray[np.floating], predict: Predict, images: Pixels, labels: Ints
) -> dict[str, Floats]:
    """Mean probability of the class (n,) while pixels are deleted, and inserted, in the order of the maps."""
    order = insertion_deletion.upsampled(maps, *images.shape[1:3])
    ends = {
        "deletion": (images, np.full_like(images, 128)),
        "insertion": (insertion_deletion.blurred_images(images), images),
    }
    return {
        name: insertion_deletion.curve_mean(*ends[name], order, labels, predict, steps=STEPS)
        for name in SIGNS
    }


def pointing_margin(candidate: Attributor, images: Pixels, labels: Ints, *, seed: int) -> float | None:
    """The share of evidence in the own tile less chance, or None where mosaics cannot be made."""
    try:
        grid = grid_pointing.make_mosaics(images, labels, tiles=TILES, count=MOSAICS, seed=seed)
        shares = grid_pointing.energy_in_own_tile(candidate.for_mosaics(TILES).maps, grid)
    except DeepSightError:
        return None
    return float(shares.mean() - 1 / TILES**2)
