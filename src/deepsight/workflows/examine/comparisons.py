"""What a foreign model's answers are compared with: features of a frozen backbone, and training images."""

from dataclasses import replace

import numpy as np

from deepsight.core.array_types import Floats32
from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.sources import ExaminedSplit
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model import pretrained
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import BLOCK, blocks_of
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.label_conflicts import conflict_probability

SIDE = 64  # pixels a side of the images from which the default backbone makes features
TRAIN_ROWS = 3000  # training images whose labels are examined
DUPLICATE_IMAGES = 20_000  # images among which near-duplicates are looked for


def inputs_of(
    data: Dataset, predictions: Predictions, train: Dataset | None, seed: int
) -> tuple[ExaminationInputs, Evidence]:
    """The predictions with independent judges of the labels, and near-duplicates in the training images."""
    frozen = FrozenBackbone(pretrained.load_pretrained())
    ours = frozen_features(frozen, data)
    if not predictions.features.size:
        predictions = replace(predictions, features=ours)
    inputs = ExaminationInputs(data, predictions, more={"frozen": ours}, seed=seed)
    if train is None or train.images.shape[1:] != data.images.shape[1:]:
        return inputs, Evidence()
    rows = balanced_rows(train.labels, min(TRAIN_ROWS, len(train)), np.random.default_rng(seed))
    few = train.select(rows)
    split = ExaminedSplit(few.ids, few.labels, None, frozen_features(frozen, few), "frozen")
    inputs = replace(inputs, train=split, others={"train": train})
    if len(train) + len(data) > DUPLICATE_IMAGES:
        return inputs, Evidence()
    pairs = find_duplicates({"train": train, "test": data}, seed=seed)
    conflicts = conflict_probability(pairs.frame, data, {"train": train})
    return replace(inputs, conflicting_twins=conflicts), Evidence({"duplicates": pairs})


def frozen_features(frozen: FrozenBackbone, data: Dataset) -> Floats32:
    """Features (n, d) of the default backbone, whose ImageNet weights share no mistake with the model."""
    blocks = blocks_of(len(data), BLOCK)
    return np.concatenate([frozen.features(data.pixels(rows), Recipe(resolution=SIDE)) for rows in blocks])


def with_features(predictions: Predictions, data: Dataset, frozen: FrozenBackbone) -> Predictions:
    """The same predictions with features of the frozen backbone."""
    return replace(predictions, features=frozen_features(frozen, data))
