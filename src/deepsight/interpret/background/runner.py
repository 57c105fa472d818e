"""Whether the model leans on the background: the swap test, the errors that it makes, where evidence lies."""

import numpy as np
import torch
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import OpenModel
from deepsight.interpret.attribution import cam, energy_by_class
from deepsight.interpret.attribution.cam import SMALLEST_SIDE, Layer
from deepsight.interpret.attribution.exact_cam import Explained, train_epoch
from deepsight.interpret.background import background_errors, grabcut, mask_quality, sample_sizes, swap_test
from deepsight.interpret.background.grabcut import Masks, with_known
from deepsight.interpret.background.named_pairs import pairs_of
from deepsight.interpret.inputs import ExaminationInputs


def background_of(
    inputs: ExaminationInputs, model: OpenModel, objects: int
) -> tuple[Evidence, dict[str, bytes], list[tuple[str, str]]]:
    """The swap test on a sample, the errors that the background makes, and where the evidence lies.

    Args:
        objects: of the swap test; for errors and pairs of classes see `context_budget`.

    Returns:
        The tables, pictures of what was shown, and the checks that this model does not allow, with reasons.
    """
    data, p, seed = inputs.test, inputs.predictions, inputs.seed
    order = np.random.default_rng(seed).permutation(len(data))
    sample = np.sort(order[: sample_sizes.images_for(objects)])
    images, labels = data.pixels(sample), data.labels[sample]
    found = grabcut.segment(images, seed=seed)
    quality = mask_quality.measure(images, found, n=sample_sizes.QUALITY_COMPOSITES, seed=seed)
    seen, refusals = seen_at_once(model, images)
    alone = None if seen is None else of_objects(seen, model, found)
    between, shown, pictures = pairs_of(inputs, model, objects, (sample, found))
    table = swap_test.swap_test(
        images, labels, found, model.logits, classes=inputs.classes, quality=quality, objects=objects,
        between=between, alone=alone, seed=seed,
    )  # fmt: skip
    wrong = errors_of(inputs, model, errors_among(p.labels != p.predicted, objects, seed), (sample, found))
    cut = mask_quality.table(found, labels, inputs.classes, quality)
    tables = Evidence({"context": table, "background_errors": wrong, "masks": cut}).merge(shown)
    if seen is not None:
        maps = seen.maps[np.arange(len(sample)), seen.logits.argmax(axis=1)]
        shares = energy_by_class.table(
            maps, found, labels, inputs.classes, quality=quality, layer=last_layer(model)
        )
        tables = tables.add(attribution_classes=shares)
    return tables, pictures, refusals


def errors_among(wrong: NDArray[np.bool_], objects: int, seed: int) -> Ints:
    """Positions of the errors that are looked at, drawn at random, so that their share speaks for all."""
    errors = np.flatnonzero(wrong)
    return np.random.default_rng(seed).permutation(errors)[: sample_sizes.errors_for(objects)]


def errors_of(inputs: ExaminationInputs, model: OpenModel, errors: Ints, known: tuple[Ints, Masks]) -> Table:
    """The table `background_errors` of these errors and of those among the images whose masks are there."""
    p, seed = inputs.predictions, inputs.seed
    rows = np.union1d(known[0], errors)
    images = inputs.test.pixels(rows)
    found = with_known(images, rows, known, seed=seed)
    seen, _ = seen_at_once(model, images)
    alone = None if seen is None else of_objects(seen, model, found)
    return background_errors.background_errors(
        images, p.labels[rows], p.predicted[rows], found, model.logits, ids=p.ids[rows],
        classes=inputs.classes, alone=alone, seed=seed,
    )  # fmt: skip


def last_layer(model: OpenModel) -> Layer:
    """The layer before the pooling, where maps are exact."""
    name, side = list(model.sides().items())[-1]
    return Layer(name, side, None)


def seen_at_once(model: OpenModel, images: Pixels) -> tuple[Explained | None, list[tuple[str, str]]]:
    """Exact maps of all classes, or None and the reason where the last layer is too coarse for them."""
    layer = last_layer(model)
    if layer.side >= SMALLEST_SIDE:
        return train_epoch(model, images), []
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
    return np.asarray(cam.without_background(*parts).numpy())
