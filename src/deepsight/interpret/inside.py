"""What needs the model itself: its maps, its robustness, and whether it leans on the background."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.interpret import (
    attribution,
    background_errors,
    context,
    context_budget,
    degradation,
    error_maps,
    faithfulness,
    mask_quality,
    masks,
    overlay,
    pointing,
)
from deepsight.interpret.attribution import Layer
from deepsight.interpret.subject import OpenModel, Pixels, Subject

Ints = NDArray[np.int64]
PAIRS_SHOWN = 6
MOSAICS = 60
POINTING_SIDE = 8  # four cells a side in each tile of a 2 x 2 mosaic; below, tiles cannot be told apart


@dataclass(frozen=True)
class Effort:
    """How many images the costly checks look at: counts, so that a stored study repeats them anywhere.

    Attributes:
        degradation_images: seen under 30 degradations each.
        context_objects: put on ten backgrounds each.
        faithfulness_images: seen at 256 steps of insertion and deletion each.
    """

    degradation_images: int = 300
    context_objects: int = 200
    faithfulness_images: int = 30


def look_inside(
    subject: Subject, model: OpenModel, evidence: Evidence, effort: Effort
) -> tuple[Evidence, dict[str, bytes]]:
    """Tables and pictures that only an opened model gives.

    Args:
        subject: what is examined.
        model: the model.
        evidence: what was found from the predictions.
        effort: sizes of the samples.
    """
    data, refusals = subject.test, []
    pictures: dict[str, bytes] = {}
    degraded = degradation.study(
        data.images, data.labels, subject.classes, model.logits,
        limit=effort.degradation_images, seed=subject.seed,
    )  # fmt: skip
    tables = Evidence({"degradation": degraded, "degradation_summary": degradation.summary(degraded)})
    try:
        found, pictures = maps_of_errors(subject, model, evidence, effort)
        tables = tables.merge(found)
    except DeepSightError as error:
        refusals.append(("maps", str(error)))
    try:
        tables = tables.merge(background_of(subject, model, effort.context_objects))
    except DeepSightError as error:
        refusals.append(("context", str(error)))
    return tables.add(not_examined=refused(refusals)), pictures


def refused(refusals: Sequence[tuple[str, str]]) -> Table:
    """The checks that these images or this model do not allow, with the reason: table `not_examined`."""
    return Table(
        frame=pl.DataFrame(refusals, schema={"check": pl.String, "reason": pl.String}, orient="row"),
        units={"check": "name of the check", "reason": "a sentence"},
        n=len(refusals),
        method="A check whose own conditions are not met is refused, not weakened.",
        caption=f"{len(refusals)} checks could not be made on these images.",
    )


def maps_of_errors(
    subject: Subject, model: OpenModel, evidence: Evidence, effort: Effort
) -> tuple[Evidence, dict[str, bytes]]:
    """Maps of the most confident errors of the main confused pairs, and whether maps are to be believed."""
    layer = attribution.layer_for(model.sides())
    p, place = subject.predictions, {name: i for i, name in enumerate(subject.classes)}
    pairs = evidence["confusion_pairs"].frame.sort("count", descending=True).head(PAIRS_SHOWN)
    chosen = error_maps.confident_errors(
        p.labels, p.probabilities, [(place[a], place[b]) for a, b in pairs.select("true", "predicted").rows()]
    )
    if not len(chosen):
        raise DeepSightError("Expected errors to draw maps of, found no confused pair among the test images.")
    images = subject.test.pixels(chosen)
    both = np.stack([p.predicted[chosen], p.labels[chosen]], axis=1)
    found, of_mirrored = (maps_for(model, layer, x, both) for x in (images, images[:, :, ::-1]))
    table = error_maps.table(
        found,
        masks.segment(images, seed=subject.seed),
        ids=p.ids[chosen],
        labels=p.labels[chosen],
        probabilities=p.probabilities[chosen],
        classes=subject.classes,
        layer=layer,
        kind=kind_of(model, layer),
        mirrored=of_mirrored,
    )
    pictures = {
        file: overlay.png(overlay.row(image, np.stack([one[0], one[1], one[0] - one[1]])))
        for file, image, one in zip(table.frame["file"], images, found, strict=True)
    }
    trust = faithfulness_of(subject, model, layer, effort.faithfulness_images)
    return Evidence({"attribution": table, "faithfulness": trust}), pictures


def kind_of(model: OpenModel, layer: Layer) -> str:
    """The family of maps at this layer: exact at the last, by gradients of the tail before it."""
    return "closed form" if layer.name == list(model.sides())[-1] else "hirescam"


def maps_for(model: OpenModel, layer: Layer, images: Pixels, classes: Ints) -> NDArray[np.float32]:
    """Signed maps (n, c, h, w) for the given classes (n, c) of each image."""
    activations = model.stage_maps(layer.name, images)
    if kind_of(model, layer) == "closed form":
        maps = attribution.signed_maps(activations, torch.from_numpy(model.weight)).numpy()
        return np.asarray(maps[np.arange(len(maps))[:, None], classes])
    tail = model.from_stage(layer.name)
    columns = [attribution.layer_maps(tail, activations, torch.from_numpy(c)) for c in classes.T.copy()]
    return np.stack([column.detach().numpy() for column in columns], axis=1)


def faithfulness_of(subject: Subject, model: OpenModel, layer: Layer, count: int) -> Table:
    """Do the maps point at the tile of the class, and does removing what they mark remove the class?"""
    p = subject.predictions
    sure = pointing.confident_and_right(p.labels, p.probabilities)
    rng = np.random.default_rng(subject.seed)
    sample = np.sort(rng.permutation(sure)[:400])
    images, labels = subject.test.pixels(sample), p.labels[sample]

    def maps_of(pixels: Pixels, classes: Ints) -> NDArray[np.floating]:
        return maps_for(model, layer, pixels, classes[:, None])[:, 0]

    few = slice(0, count)
    checks = faithfulness.insertion_deletion(
        maps_of(images[few], labels[few]), images[few], labels[few], model.logits, seed=subject.seed
    )
    if layer.side >= POINTING_SIDE:
        pointed = faithfulness.grid_pointing(maps_of, images, labels, count=MOSAICS, seed=subject.seed)
        checks = [pointed, *checks]
    return faithfulness.table(checks, family=kind_of(model, layer))


def background_of(subject: Subject, model: OpenModel, objects: int) -> Evidence:
    """The swap test on a sample, and the errors that the background makes."""
    data, p = subject.test, subject.predictions
    rng = np.random.default_rng(subject.seed)
    order = rng.permutation(len(data))
    sample = np.sort(order[: context_budget.images_for(objects)])
    images, labels = data.pixels(sample), data.labels[sample]
    found = masks.segment(images, seed=subject.seed)
    quality = mask_quality.measure(images, found, n=context_budget.QUALITY_COMPOSITES, seed=subject.seed)
    table = context.swap_test(
        images, labels, found, model.logits, classes=subject.classes, quality=quality, objects=objects,
        pairs=context_pairs(subject), seed=subject.seed,
    )  # fmt: skip
    wrong = background_errors.background_errors(
        images, labels, p.predicted[sample], found, model.logits, ids=p.ids[sample],
        classes=subject.classes, seed=subject.seed,
    )  # fmt: skip
    return Evidence({"context": table, "background_errors": wrong})


def context_pairs(subject: Subject) -> list[tuple[int, int]]:
    """The pairs of classes that a hypothesis names, to be tried on each other's backgrounds."""
    place = {name: i for i, name in enumerate(subject.classes)}
    pairs = [(h.first.classes, h.second.classes) for h in subject.hypotheses]
    return [(place[a[0]], place[b[0]]) for a, b in pairs if len(a) == len(b) == 1]
