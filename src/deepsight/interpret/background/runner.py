"""Reliance on the background: the swap test, the errors that it causes, and where the evidence lies."""

from typing import NamedTuple

import numpy as np
import torch

from deepsight.core.array_types import Bools, Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import OpenModel
from deepsight.interpret.attribution import cam, energy_by_class
from deepsight.interpret.attribution.cam import SMALLEST_SIDE, Layer
from deepsight.interpret.attribution.exact_cam import ExactMaps, exact_maps
from deepsight.interpret.background import background_errors, grabcut, mask_quality, sample_sizes, swap_test
from deepsight.interpret.background.grabcut import Masks, segment_missing
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.named_pairs import named_pair_effects
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs


class Sample(NamedTuple):
    """Test images whose objects were cut out.

    Attributes:
        rows: positions in the test set, int64 (n,), ascending.
        images: uint8 (n, h, w, 3).
        labels: int64 (n,).
        masks: of these images.
        quality: the masks' measured errors.
    """

    rows: Ints
    images: Pixels
    labels: Ints
    masks: Masks
    quality: MaskQuality


def examine_background(inputs: ExaminationInputs, model: OpenModel, objects: int) -> Findings:
    """The swap test on a sample, the errors that the background causes, and where the evidence lies.

    Args:
        inputs: what is examined.
        model: the model.
        objects: number of objects in the swap test; `sample_sizes` derives the other samples from it.
    """
    sample = draw_sample(inputs, objects)
    exact = exact_maps_where_fine(model, sample.images)
    pairs = named_pair_effects(inputs, model, objects, (sample.rows, sample.masks))
    table = swap_test.swap_test(
        sample.images, sample.labels, sample.masks, model.logits, classes=inputs.classes,
        quality=sample.quality, objects=objects, between=pairs.effects,
        alone=None if exact is None else logits_of_objects(exact, model, sample.masks), seed=inputs.seed,
    )  # fmt: skip
    errors = sample_of_errors(inputs, objects)
    wrong = examine_background_errors(inputs, model, errors, (sample.rows, sample.masks))
    masks = mask_quality.mask_table(sample.masks, sample.labels, inputs.classes, sample.quality)
    found = Findings(Evidence({"context": table, "background_errors": wrong, "masks": masks}))
    found = found.merge(pairs.findings)
    if exact is None:
        return found.merge(Findings.refused("screen", too_coarse(model)))
    energy = energy_of_sample(sample, exact, model, inputs.classes)
    return found.merge(Findings(Evidence({"attribution_classes": energy})))


def draw_sample(inputs: ExaminationInputs, objects: int) -> Sample:
    """Random test images, enough for about this many usable masks, with their masks."""
    data, seed = inputs.test, inputs.seed
    order = np.random.default_rng(seed).permutation(len(data))
    rows = np.sort(order[: sample_sizes.images_for(objects)])
    images = data.pixels(rows)
    masks = grabcut.segment(images, seed=seed)
    quality = mask_quality.measure_masks(images, masks, n=sample_sizes.QUALITY_COMPOSITES, seed=seed)
    return Sample(rows, images, data.labels[rows], masks, quality)


def sample_of_errors(inputs: ExaminationInputs, objects: int) -> Ints:
    """Positions of the errors that are examined, drawn at random so that their share speaks for all."""
    errors = np.flatnonzero(wrong_answers(inputs))
    return np.random.default_rng(inputs.seed).permutation(errors)[: sample_sizes.errors_for(objects)]


def wrong_answers(inputs: ExaminationInputs) -> Bools:
    """Which test images are misclassified, bool (n,)."""
    return np.asarray(inputs.predictions.labels != inputs.predictions.predicted)


def examine_background_errors(
    inputs: ExaminationInputs, model: OpenModel, errors: Ints, known: tuple[Ints, Masks]
) -> Table:
    """The table `background_errors`, for these errors and for those among the images with known masks."""
    p, seed = inputs.predictions, inputs.seed
    rows = np.union1d(known[0], errors)
    images = inputs.test.pixels(rows)
    masks = segment_missing(images, rows, known, seed=seed)
    exact = exact_maps_where_fine(model, images)
    alone = None if exact is None else logits_of_objects(exact, model, masks)
    return background_errors.background_errors(
        images, p.labels[rows], p.predicted[rows], masks, model.logits, ids=p.ids[rows],
        classes=inputs.classes, alone=alone, seed=seed,
    )  # fmt: skip


def last_layer(model: OpenModel) -> Layer:
    """The layer before the pooling, where maps are exact."""
    name, side = list(model.sides().items())[-1]
    return Layer(name, side, None)


def exact_maps_where_fine(model: OpenModel, images: Pixels) -> ExactMaps | None:
    """Exact maps of all classes, or None where the last layer is too coarse for them."""
    return exact_maps(model, images) if last_layer(model).side >= SMALLEST_SIDE else None


def too_coarse(model: OpenModel) -> DeepSightError:
    """Why there is no screening test."""
    return DeepSightError(
        f"Expected at least {SMALLEST_SIDE} cells a side before the pooling, received "
        f"{last_layer(model).side}. Such a map cannot tell the object from its background, so the answer "
        "without background evidence is not given. Use a larger --resolution."
    )


def logits_of_objects(exact: ExactMaps, model: OpenModel, masks: Masks) -> Floats32:
    """The logits (n, k) that the objects' cells alone give."""
    cover = masks.cover(*exact.maps.shape[2:])
    parts = (torch.from_numpy(a) for a in (exact.maps, model.bias, cover))
    return np.asarray(cam.without_background(*parts).numpy())


def energy_of_sample(sample: Sample, exact: ExactMaps, model: OpenModel, classes: tuple[str, ...]) -> Table:
    """The table `attribution_classes`: energy-based pointing for the predicted class."""
    maps = exact.maps[np.arange(len(sample.rows)), exact.logits.argmax(axis=1)]
    return energy_by_class.energy_by_class_table(
        maps, sample.masks, sample.labels, classes, quality=sample.quality, layer=last_layer(model)
    )
