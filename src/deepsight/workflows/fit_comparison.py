"""How a model judges the ways to fit oblong pictures into a square."""

from collections.abc import Callable

import numpy as np

from deepsight.core.array_types import Bools
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.core.recipe import Recipe
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.obtain.crop_or_pad import FittedPictures
from deepsight.obtain.decoding.crop import Fit

SIDE = 64  # pixels of the network's input


def recognised_by_fit(
    backbone: Callable[[], FrozenBackbone], pictures: FittedPictures, *, log: Log
) -> dict[Fit, Bools]:
    """Which images (n,) a linear probe on the pretrained backbone gets right out of fold, for each fit.

    No probe has seen an image of the judged image's group. If the backbone is not available, all images count
    as right under crop and none under the others.

    Args:
        backbone: loads the backbone before any training.
        pictures: the images in each fit.
        log: receives why nothing was compared.
    """
    present, labels = np.unique(pictures.labels, return_inverse=True)
    try:
        frozen = backbone()
    except DeepSightError as error:
        log(f"How pictures are fitted is not compared: {error}")
        return {fit: np.full(len(labels), fit == "crop") for fit in pictures.pixels}
    found = {}
    for fit, pixels in pictures.pixels.items():
        features = frozen.features(pixels, Recipe(resolution=SIDE))
        said = out_of_fold_probabilities(features, labels, len(present), groups=pictures.groups, seed=0)
        found[fit] = said.argmax(axis=1) == labels
    return found
