"""The inputs of an examination of foreign predictions: judges of the labels, and near-duplicates."""

from dataclasses import replace

import numpy as np
import torch

from deepsight.core.array_types import Floats32
from deepsight.core.blocks import blocks_of
from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence
from deepsight.core.files.scratch import scratch_rows
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.recipe import Recipe
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.label_sources import ExaminedSplit
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model import pretrained
from deepsight.model.engine import settings_of_long_passes, using_settings
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import BLOCK
from deepsight.model.pretrained import Pretrained
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.label_conflicts import conflict_probability
from deepsight.workflows.examine.reference_model import Reference, shares_images, train_reference
from deepsight.workflows.passes.image_passes import ImagePasses

SIDE = 64  # pixels per side of the default backbone's input
TRAIN_ROWS = 3000  # training images whose labels are examined, at most
DUPLICATE_IMAGES = 20_000  # images among which near-duplicates are searched for, at most
OTHER_SHAPE = "The training and test images are stored in different shapes. Use ?side= to store both in one."


def inputs_of_predictions(
    data: Dataset, predictions: Predictions, train: Dataset | None, seed: int, *, seconds: float,
    passes: ImagePasses | None = None, log: Log = silent,
) -> tuple[ExaminationInputs, Evidence]:  # fmt: skip
    """The predictions with independent judges of the labels, and near-duplicates in the training images.

    Args:
        data: the examined images.
        predictions: of the examined images.
        train: the training images, or None; if they are themselves examined, no near-duplicates are searched
            for.
        seed: random seed.
        seconds: for a reference model.
        passes: the workers that carry out passes over the examined images; None uses this process.
        log: receives progress and warnings.
    """
    usable = train is not None and train.images.shape[1:] == data.images.shape[1:]
    inputs = judged_inputs(
        pretrained.load_pretrained(),
        data,
        predictions,
        train if usable else None,
        seed,
        seconds=seconds,
        passes=passes,
        log=log,
    )
    if passes is not None:
        inputs = replace(inputs, measured=passes.properties(data.images))
    if train is None or shares_images(data, train):
        return inputs, Evidence()
    reason = "" if usable else OTHER_SHAPE
    if usable and len(train) + len(data) > DUPLICATE_IMAGES:
        reason = f"Near-duplicates are searched for among at most {DUPLICATE_IMAGES:,} images here."
    if reason:
        return replace(inputs, refusals=Findings.refused("duplicates", reason).refusals), Evidence()
    pairs = find_duplicates({"train": train, "test": data}, seed=seed)
    conflicts = conflict_probability(pairs.frame, data, {"train": train})
    return replace(inputs, conflicting_twins=conflicts), Evidence({"duplicates": pairs})


def judged_inputs(
    backbone: Pretrained, data: Dataset, predictions: Predictions, train: Dataset | None, seed: int, *,
    seconds: float, passes: ImagePasses | None = None, log: Log = silent,
) -> ExaminationInputs:  # fmt: skip
    """The predictions with judges of the labels that are independent of the model.

    The judge is a reference model, trained on the data set's own training part. Without a training part, or
    with too little time, it is the features of the pretrained backbone. The arguments are as in
    `inputs_of_predictions`.
    """
    reference = None
    if train is not None:
        reference = train_reference(backbone, train, data, seconds=seconds, seed=seed, log=log)
    if reference is None:
        frozen = FrozenBackbone(backbone)
        ours = (
            frozen_features(frozen, data)
            if passes is None
            else passes.frozen_features(data.images, {"backbone": backbone.name}, SIDE)
        )
        return frozen_inputs(frozen, ours, data, predictions, train, seed)
    return reference_inputs(reference, data, predictions, train, seed)


def reference_inputs(
    reference: Reference, data: Dataset, predictions: Predictions, train: Dataset | None, seed: int
) -> ExaminationInputs:
    """The predictions with a reference model as the judge of the labels."""
    if not predictions.features.size:
        predictions = replace(predictions, features=reference.features["frozen"])
    others = {} if train is None or reference.train is None else {"train": train}
    return ExaminationInputs(
        data, predictions, train=reference.train, others=others, more=reference.features,
        judges={"reference": reference.probabilities}, seed=seed,
    )  # fmt: skip


def frozen_inputs(
    frozen: FrozenBackbone, ours: Floats32, data: Dataset, predictions: Predictions, train: Dataset | None,
    seed: int,
) -> ExaminationInputs:  # fmt: skip
    """The predictions with features of the pretrained backbone, also for a sample of the training images.

    `ours` are those of the examined images (n, d).
    """
    if not predictions.features.size:
        predictions = replace(predictions, features=ours)
    inputs = ExaminationInputs(data, predictions, more={"frozen": ours}, seed=seed)
    if train is None or shares_images(data, train):
        return inputs
    rows = balanced_rows(train.labels, min(TRAIN_ROWS, len(train)), np.random.default_rng(seed))
    few = train.select(rows)
    features = frozen_features(frozen, few)
    split = ExaminedSplit(few.ids, few.labels, None, features, "frozen", groups=few.groups)
    return replace(inputs, train=split, others={"train": train})


def frozen_features(frozen: FrozenBackbone, data: Dataset) -> Floats32:
    """Features (n, d) of the pretrained default backbone, which is independent of the model."""
    blocks = blocks_of(len(data), BLOCK)
    with using_settings(settings_of_long_passes(torch.get_num_threads())):
        recipe = Recipe(resolution=SIDE)
        return scratch_rows((frozen.features(data.pixels(rows), recipe) for rows in blocks), len(data))
