"""Reliance on the background: the swap test, the errors that it causes, and where the evidence lies."""

from typing import NamedTuple

import numpy as np

from deepsight.core.array_types import Bools, Floats32, Ints, Pixels
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import AskedModel
from deepsight.interpret.attribution import energy_by_class
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.exact_cam import ExactMaps
from deepsight.interpret.background import background_errors, grabcut, mask_quality, sample_sizes, swap_test
from deepsight.interpret.background.grabcut import KnownMasks, Masks, segment_missing
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.named_pairs import named_pair_effects
from deepsight.interpret.background.random_background_head import PooledModel
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.robustness.corruptions import balanced_rows

NOT_EXACT = (
    "The answer without background evidence needs exact maps: average pooling and a linear head, with at "
    "least 4 cells a side before the pooling. This model does not have them at this input size."
)


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


def examine_background(
    inputs: ExaminationInputs, model: AskedModel, attributor: Attributor | None, objects: int
) -> Findings:
    """The swap test on a sample, the errors that the background causes, and where the evidence lies.

    Args:
        inputs: what is examined.
        model: the model.
        attributor: maps of the model, or None where there are no trustworthy ones.
        objects: number of objects in the swap test; `sample_sizes` derives the other samples from it.
    """
    sample = draw_sample(inputs, objects)
    exact = exact_or_none(attributor, sample.images)
    known = KnownMasks(sample.rows, sample.masks)
    pairs = named_pair_effects(inputs, model, objects, known)
    table = swap_test.swap_test(
        sample.images, sample.labels, sample.masks, model.logits, classes=inputs.classes,
        quality=sample.quality, objects=objects, between=pairs.effects,
        alone=None if exact is None else logits_of_objects(exact, sample.masks), pooled=PooledModel.of(model),
        seed=inputs.seed,
    )  # fmt: skip
    errors = sample_of_errors(inputs, objects)
    wrong = examine_background_errors(inputs, model, attributor, errors, known)
    masks = mask_quality.mask_table(sample.masks, sample.labels, inputs.classes, sample.quality)
    found = Findings(Evidence({"context": table, "background_errors": wrong, "masks": masks}))
    found = found.merge(pairs.findings)
    if exact is None:
        found = found.merge(Findings.refused("screen", NOT_EXACT))
    if attributor is None:
        return found
    energy = energy_of_sample(inputs, sample, exact, attributor)
    return found.merge(Findings(Evidence({"attribution_classes": energy})))


def draw_sample(inputs: ExaminationInputs, objects: int) -> Sample:
    """Test images in equal numbers from each class, enough for about this many usable masks.

    Where there are more classes than these images can represent, some classes are drawn at random.
    """
    data, seed = inputs.test, inputs.seed
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(np.unique(data.labels))[: sample_sizes.classes_for(objects)]
    there = np.flatnonzero(np.isin(data.labels, drawn))
    rows = there[balanced_rows(data.labels[there], sample_sizes.images_for(objects), rng)]
    images = data.pixels(rows)
    masks = grabcut.segment_objects(images, seed=seed)
    quality = mask_quality.measure_masks(images, masks, n=sample_sizes.QUALITY_COMPOSITES, seed=seed)
    return Sample(rows, images, data.labels[rows], masks, quality)


def sample_of_errors(inputs: ExaminationInputs, objects: int) -> Ints:
    """Positions of the errors that are examined, drawn at random so that they represent all errors."""
    errors = np.flatnonzero(wrong_answers(inputs))
    return np.random.default_rng(inputs.seed).permutation(errors)[: sample_sizes.errors_for(objects)]


def wrong_answers(inputs: ExaminationInputs) -> Bools:
    """Which test images are misclassified, bool (n,)."""
    return np.asarray(inputs.predictions.labels != inputs.predictions.predicted)


def examine_background_errors(
    inputs: ExaminationInputs,
    model: AskedModel,
    attributor: Attributor | None,
    errors: Ints,
    known: KnownMasks,
) -> Table:
    """The table `background_errors` for these errors; images with known masks provide backgrounds."""
    p, seed = inputs.predictions, inputs.seed
    rows = np.union1d(known.rows, errors)
    images = inputs.test.pixels(rows)
    masks = segment_missing(images, rows, known, seed=seed)
    exact = exact_or_none(attributor, images)
    alone = None if exact is None else logits_of_objects(exact, masks)
    return background_errors.background_errors(
        images, p.labels[rows], p.predicted[rows], masks, model.logits, ids=p.ids[rows],
        classes=inputs.classes, alone=alone, among=np.searchsorted(rows, errors), seed=seed,
    )  # fmt: skip


def exact_or_none(attributor: Attributor | None, images: Pixels) -> ExactMaps | None:
    """Exact maps of all classes, or None where the maps are not exact or there are none."""
    return None if attributor is None else attributor.exact(images)


def logits_of_objects(exact: ExactMaps, masks: Masks) -> Floats32:
    """The logits (n, k) from the objects' cells alone: the evidence of the other cells is subtracted."""
    outside = 1 - masks.cover(*exact.maps.shape[2:])
    return np.asarray(exact.logits - (exact.maps * outside[:, None]).sum(axis=(2, 3)), dtype=np.float32)


def energy_of_sample(
    inputs: ExaminationInputs, sample: Sample, exact: ExactMaps | None, attributor: Attributor
) -> Table:
    """The table `attribution_classes`: energy-based pointing for the predicted class."""
    if exact is not None:
        maps = exact.maps[np.arange(len(sample.rows)), exact.logits.argmax(axis=1)]
    else:
        maps = attributor.maps(sample.images, inputs.predictions.predicted[sample.rows][:, None])[:, 0]
    return energy_by_class.energy_by_class_table(
        maps, sample.masks, sample.labels, inputs.classes, quality=sample.quality, layer=attributor.layer
    )
