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
    attribution_classes,
    background_errors,
    context,
    context_budget,
    degradation,
    mask_quality,
    masks,
)
from deepsight.interpret.attribution import SMALLEST_SIDE, Layer
from deepsight.interpret.attribution_pass import Explained, one_pass
from deepsight.interpret.inside_faithfulness import faithfulness_of
from deepsight.interpret.inside_maps import maps_of_errors
from deepsight.interpret.inside_pairs import pairs_of
from deepsight.interpret.masks import Masks
from deepsight.interpret.subject import OpenModel, Pixels, Subject


@dataclass(frozen=True)
class Effort:
    """How many images the costly checks look at: counts, so that a stored study repeats them anywhere.

    Attributes:
        degradation_images: seen under 30 degradations each.
        context_objects: put on ten backgrounds each.
        faithfulness_images: of insertion and deletion, each seen 58 times, or 250 times where they are many
            (`insertion.steps_for`).
    """

    degradation_images: int = 300
    context_objects: int = 200
    faithfulness_images: int = 80


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
    data = subject.test
    refusals: list[tuple[str, str]] = []
    pictures: dict[str, bytes] = {}
    degraded = degradation.study(
        data.images, data.labels, subject.classes, model.logits,
        limit=effort.degradation_images, seed=subject.seed,
    )  # fmt: skip
    tables = Evidence({"degradation": degraded, "degradation_summary": degradation.summary(degraded)})
    try:
        layer = attribution.layer_for(model.sides())
        found, pictures = maps_of_errors(subject, model, layer, evidence)
        trust, not_possible = faithfulness_of(subject, model, layer, effort.faithfulness_images)
        tables, refusals = tables.merge(found).add(faithfulness=trust), refusals + not_possible
    except DeepSightError as error:
        refusals.append(("maps", str(error)))
    try:
        found, composites, not_possible = background_of(subject, model, effort.context_objects)
        tables, refusals = tables.merge(found), refusals + not_possible
        pictures = pictures | composites
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
        caption="Checks that could not be made on these images: "
        + f"{', '.join(check for check, _ in refusals) or 'none'}.",
    )


def background_of(
    subject: Subject, model: OpenModel, objects: int
) -> tuple[Evidence, dict[str, bytes], list[tuple[str, str]]]:
    """The swap test on a sample, the errors that the background makes, and where the evidence lies.

    Returns:
        The tables, pictures of what was shown, and the checks that this model does not allow, with reasons.
    """
    data, p, seed = subject.test, subject.predictions, subject.seed
    order = np.random.default_rng(seed).permutation(len(data))
    sample = np.sort(order[: context_budget.images_for(objects)])
    images, labels, predicted = data.pixels(sample), data.labels[sample], p.predicted[sample]
    found = masks.segment(images, seed=seed)
    quality = mask_quality.measure(images, found, n=context_budget.QUALITY_COMPOSITES, seed=seed)
    seen, refusals = seen_at_once(model, images)
    alone = None if seen is None else of_objects(seen, model, found)
    between, shown, pictures = pairs_of(subject, model, objects, (sample, found))
    table = context.swap_test(
        images, labels, found, model.logits, classes=subject.classes, quality=quality, objects=objects,
        between=between, alone=alone, seed=seed,
    )  # fmt: skip
    wrong = background_errors.background_errors(
        images, labels, predicted, found, model.logits, ids=p.ids[sample], classes=subject.classes,
        alone=alone, seed=seed,
    )  # fmt: skip
    cut = mask_quality.table(found, labels, subject.classes, quality)
    tables = Evidence({"context": table, "background_errors": wrong, "masks": cut}).merge(shown)
    if seen is not None:
        maps = seen.maps[np.arange(len(sample)), seen.logits.argmax(axis=1)]
        shares = attribution_classes.table(
            maps, found, labels, subject.classes, quality=quality, layer=last_layer(model)
        )
        tables = tables.add(attribution_classes=shares)
    return tables, pictures, refusals


def last_layer(model: OpenModel) -> Layer:
    """The layer before the pooling, where maps are exact."""
    name, side = list(model.sides().items())[-1]
    return Layer(name, side, None)


def seen_at_once(model: OpenModel, images: Pixels) -> tuple[Explained | None, list[tuple[str, str]]]:
    """Exact maps of all classes, or None and the reason where the last layer is too coarse for them."""
    layer = last_layer(model)
    if layer.side >= SMALLEST_SIDE:
        return one_pass(model, images), []
    reason = (
        f"Expected at least {SMALLEST_SIDE} cells a side before the pooling, received {layer.side}: the "
        "object cannot be told from its background there, so the answer without background evidence is not "
        "given. Use a larger --resolution."
    )
    return None, [("screen", reason)]


def of_objects(seen: Explained, model: OpenModel, found: Masks) -> NDArray[np.float32]:
    """The logits (n, k) that the object's cells alone give."""
    cover = found.cover(*seen.maps.shape[2:])
    parts = (torch.from_numpy(a) for a in (seen.maps, model.bias, cover))
    return np.asarray(attribution.without_background(*parts).numpy())
