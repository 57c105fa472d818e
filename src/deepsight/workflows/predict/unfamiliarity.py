"""Unfamiliarity: the distance of an image to the training images, as a quantile of the validation images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.statistics.unit_rows import unit_rows
from deepsight.model.predict import Predictor
from deepsight.workflows.predict.nearest_training import (
    stored_predictions,
    training_predictions,
)
from deepsight.workflows.study_context import Context

UNFAMILIAR = 0.99  # about one in a hundred familiar images reaches it
BLOCK = 1024  # images compared at a time


@dataclass(frozen=True)
class Familiarity:
    """The reference for the unfamiliarity of new images.

    Attributes:
        features: (m, d), of training images, rows of length 1.
        distances: (v,), sorted, of validation images to the nearest training image; 1 minus the cosine.
    """

    features: Floats
    distances: Floats

    def unfamiliarity(self, features: Reals) -> Floats:
        """The share of validation images that are nearer to the training images, (n,), 0 to 1.

        Deep nearest neighbours (Sun et al. 2022), with the cosine of the model's pooled features.

        Args:
            features: (n, d), of the new images.
        """
        below = np.searchsorted(self.distances, nearest_distance(features, self.features))
        return np.asarray(below / max(len(self.distances), 1))


def known_familiarity(context: Context, predictor: Predictor) -> Familiarity | None:
    """The reference of a run; None, with a line in the log, if what it needs is gone."""
    try:
        return measure_familiarity(context, predictor)
    except DeepSightError as error:
        context.log(f"The unfamiliarity of the images is unknown: {error}")
        return None


def measure_familiarity(context: Context, predictor: Predictor) -> Familiarity:
    """The distances of validation images to the training images, from the stored predictions of a run.

    Raises:
        DeepSightError: the run keeps no features of validation or training images, and the data is gone.
    """
    validation = stored_predictions(context.run, "val", predictor)
    train = unit_rows(training_predictions(context, predictor).features)
    distances = np.sort(nearest_distance(validation.features, train))
    return Familiarity(train, distances)


def nearest_distance(features: Reals, train: NDArray[np.float64]) -> Floats:
    """1 minus the cosine to the nearest training image, (n,)."""
    rows = unit_rows(features)
    blocks = [rows[start : start + BLOCK] @ train.T for start in range(0, len(rows), BLOCK)]
    return np.asarray(1 - np.concatenate([block.max(axis=1) for block in blocks]))
