"""The nearest training images of an image, by the features of the trained model."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepsight.core.blocks import blocks_of
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.files.lock import locked
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, Progress
from deepsight.core.run import Run
from deepsight.core.statistics.unit_rows import unit_rows
from deepsight.model.predict import Predictor
from deepsight.workflows.study_context import Context

TRAIN = "predictions/train.npz"
MOST_TRAINING = 5_000  # training images to compare with: half a minute on two cores at 128 pixels
BLOCK = 256  # images per pass


class Nearest(NamedTuple):
    """The c nearest training images of each of n images, nearest first.

    Attributes:
        ids: int64 (n, c), rows in the official order of train.
        labels: int64 (n, c), the given labels.
        cosine: float64 (n, c), of the pooled features, -1 to 1.
        pixels: uint8 (n, c, h, w, 3).
        files: (n, c), the file of each; None if images have no names.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    cosine: NDArray[np.float64]
    pixels: NDArray[np.uint8]
    files: NDArray[np.object_] | None = None


def nearest_training(
    context: Context, predictor: Predictor, features: NDArray[np.floating], *, count: int
) -> Nearest | None:
    """The `count` training images whose features have the largest cosine with these (n, d).

    The features are those of the trained model before its head. At most 5,000 training images, evenly spread,
    are predicted once; the run folder keeps the result. None, with a line in the log, if the data is gone.
    """
    try:
        train = context.splits.train
    except DeepSightError as error:
        context.log(f"The nearest training images are not shown: {error}")
        return None
    known = training_predictions(context, predictor)
    cosine = unit_rows(features) @ unit_rows(known.features).T
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
    ids = known.ids[best]
    near = [select_ids(train, row) for row in ids]
    files = None if train.files is None else np.stack([data.files for data in near if data.files is not None])
    cosines = np.take_along_axis(cosine, best, axis=1)
    return Nearest(ids, known.labels[best], cosines, np.stack([data.pixels() for data in near]), files)


def training_predictions(context: Context, predictor: Predictor) -> Predictions:
    """The predictions for training images, from the run folder or newly computed.

    Raises:
        DeepSightError: the run keeps none, and the data is gone.
    """
    run = context.run
    if run.has(TRAIN) and not run.holds(TRAIN):
        context.log(f"{TRAIN} is not what the run wrote, so it is computed again.")
    if not run.has(TRAIN) or not run.holds(TRAIN):
        train = context.splits.train
        rows = np.unique(np.linspace(0, len(train) - 1, MOST_TRAINING).astype(np.int64))
        context.log(
            f"Features of {len(rows):,} training images are computed once; {run.file(TRAIN)} keeps them."
        )
        known = in_blocks(predictor, train.select(rows), context.log).as_stored()
        keep_training_predictions(run, known, context.log)
        return known
    return stored_predictions(run, "train", predictor)


def stored_predictions(run: Run, split: str, predictor: Predictor) -> Predictions:
    """The stored predictions for a split, whose features must have the width of the model's.

    Raises:
        DeepSightError: they are damaged, or of another width.
    """
    said, width = run.predictions(split), predictor.weight.shape[1]
    if said.features.shape[1] != width:
        raise run.damaged(
            f"predictions/{split}.npz",
            f"its features should have {width} numbers for each image, as the model has, not "
            f"{said.features.shape[1]}",
            run.manifests(),
        )
    return said


def keep_training_predictions(run: Run, known: Predictions, log: Log) -> None:
    """Store the predictions for training images, unless another process has locked the run folder."""
    try:
        with locked(run.path):
            run.save_predictions("train", known)
            run.commit("predict")
    except DeepSightError as error:
        log(f"They are not kept: {error}")


def in_blocks(predictor: Predictor, data: Dataset, log: Log) -> Predictions:
    """The predictions for a data set, computed in blocks with progress."""
    pace, made = Progress("training images", len(data), log), []
    for rows in blocks_of(len(data), BLOCK):
        made.append(predictor.features(data.pixels(rows), name="train"))
        pace.done(rows.stop)
    features = np.concatenate(made)
    return Predictions(data.ids, data.labels, predictor.logits_of(features), features)
