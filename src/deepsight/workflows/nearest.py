"""The training images that a model sees as most like an image."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, Progress
from deepsight.model.predict import Predictor, blocks_of
from deepsight.workflows.context import Context

TRAIN = "predictions/train.npz"
MOST_TRAINING = 5_000  # training images that are looked at: half a minute on two cores at 128 pixels
BLOCK = 256


class Nearest(NamedTuple):
    """The c nearest training images of each of n images, nearest first.

    Attributes:
        ids: int64 (n, c), rows in the official order of train.
        labels: int64 (n, c), the given labels.
        cosine: float64 (n, c), of the pooled features, -1 to 1.
        pixels: uint8 (n, c, h, w, 3).
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    cosine: NDArray[np.float64]
    pixels: NDArray[np.uint8]


def nearest_training(
    context: Context, predictor: Predictor, features: NDArray[np.floating], *, count: int
) -> Nearest | None:
    """The `count` training images whose features have the largest cosine with these (n, d).

    The features are those of the trained model, before its head: what is near is near in this model's eyes.
    Training images are looked at once, at most 5,000 of them, evenly spread; the run folder keeps the result.
    None, and a line that says why, where the data is no longer there.
    """
    try:
        train = context.splits.train
    except DeepSightError as error:
        context.log(f"The nearest training images are not shown: {error}")
        return None
    known = training_predictions(context, predictor, train)
    cosine = unit(features) @ unit(known.features).T
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
    ids = known.ids[best]
    pixels = np.stack([select_ids(train, row).pixels() for row in ids])
    return Nearest(ids, known.labels[best], np.take_along_axis(cosine, best, axis=1), pixels)


def training_predictions(context: Context, predictor: Predictor, train: Dataset) -> Predictions:
    """What the model says about training images, from the run folder or made now."""
    run = context.run
    if not run.has(TRAIN):
        rows = np.unique(np.linspace(0, len(train) - 1, MOST_TRAINING).astype(np.int64))
        context.log(f"Looking at {len(rows):,} training images, once; {run.file(TRAIN)} keeps the result.")
        run.save_predictions("train", in_blocks(predictor, train.select(rows), context.log))
    return run.predictions("train")


def in_blocks(predictor: Predictor, data: Dataset, log: Log) -> Predictions:
    """What the model says about a data set, telling how far it has come."""
    pace, made = Progress("training images", len(data), log), []
    for rows in blocks_of(len(data), BLOCK):
        made.append(predictor.features(data.pixels(rows), name="train"))
        pace.done(rows.stop)
    features = np.concatenate(made)
    return Predictions(data.ids, data.labels, predictor.logits_of(features), features)


def unit(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows of length 1, in float64."""
    rows = features.astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
