"""The run that an audit compares with: its model, its images, and its test predictions."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log
from deepsight.core.run import Run
from deepsight.model.predict import Predictor
from deepsight.obtain.decoding.crop import Fit, Shape
from deepsight.workflows.predict.calibrated import run_temperature
from deepsight.workflows.predict.nearest_training import stored_predictions
from deepsight.workflows.predict.unfamiliarity import Familiarity, measure_familiarity
from deepsight.workflows.study_context import Context, opened_context
from deepsight.workflows.trained_model import open_trained

BLOCK = 1024  # images resized at a time


@dataclass(frozen=True)
class ComparedRun:
    """A finished run to compare with.

    Attributes:
        run: its folder.
        predictor: its model.
        classes: in the order of the logits.
        shape: height and width of its stored images.
        fit: how images were brought into that shape.
        train: the images that it was trained on.
        test: the images that its model has not seen.
        said: the model's predictions for these, in their order.
        familiar: measures the unfamiliarity of new images.
        temperature: the divisor of the logits that calibrates them on validation.
    """

    run: Run
    predictor: Predictor
    classes: tuple[str, ...]
    shape: Shape
    fit: Fit
    train: Dataset
    test: Dataset
    said: Predictions
    familiar: Familiarity
    temperature: float


def open_compared(folder: Path, log: Log) -> ComparedRun:
    """The run in a folder, with its data.

    Raises:
        DeepSightError: there is no run or no model, or its data is gone.
    """
    run, predictor, classes = open_trained(folder)
    context = opened_context(run, log)
    splits, record = context.splits, run.read_json("data.json")
    said = test_predictions(context, predictor)
    height, width = (int(side) for side in record["image_shape"][:2])
    return ComparedRun(
        run, predictor, classes, (height, width), record.get("fit", "crop"),
        splits.train, select_ids(splits.test, said.ids), said,
        measure_familiarity(context, predictor), run_temperature(run, predictor, log),
    )  # fmt: skip


def test_predictions(context: Context, predictor: Predictor) -> Predictions:
    """The model's predictions for the test images.

    Those of a run in folds are made anew: the stored ones are of several models, with other features.
    """
    plan = context.study.plan
    if plan is not None and plan.folds > 1:
        return predictor.predictions(context.splits.test, name="test")
    return stored_predictions(context.run, "test", predictor)


def in_shape(data: Dataset, shape: Shape) -> Dataset:
    """The data set with its images resized to this height and width, if they have another."""
    if tuple(data.images.shape[1:3]) == tuple(shape):
        return data
    resized = np.empty((len(data), *shape, 3), dtype=np.uint8)
    for start in range(0, len(data), BLOCK):
        for row, image in enumerate(data.pixels(slice(start, start + BLOCK)), start):
            resized[row] = resized_image(image, shape)
    return replace(data, images=resized)


def resized_image(image: Pixels, shape: Shape) -> Pixels:
    """One image (h, w, 3) in another shape: enlarged by cubic interpolation, reduced by area averaging."""
    smaller = shape[0] * shape[1] < image.shape[0] * image.shape[1]
    kernel = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=kernel), dtype=np.uint8)
