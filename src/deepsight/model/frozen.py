"""The backbone as it came, before it has seen a label of the study."""

import copy
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.fit import preprocessing_of
from deepsight.model.predict import Predictor
from deepsight.model.trunk import Verify
from deepsight.model.weights import Pretrained

BLOCK = 4096  # images in memory at a time


class FrozenBackbone:
    """Pooled features from ImageNet weights alone.

    Args:
        pretrained: left as it is; a copy is folded.
        verify_at: gives the check of every batch, for a resolution.
    """

    def __init__(self, pretrained: Pretrained, verify_at: Callable[[int], Verify]) -> None:
        self._pretrained = pretrained
        self._verify_at = verify_at
        self._classifier = Classifier(copy.deepcopy(pretrained.backbone), 1)  # its head is never used
        self._classifier.fold_all()

    def features(self, pixels: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.float32]:
        """Features (n, d) of uint8 images (n, h, w, 3), with the input that a recipe declares."""
        preprocessing = preprocessing_of(self._pretrained, recipe)
        predictor = Predictor(self._classifier, preprocessing, self._verify_at(recipe.resolution))
        blocks = [slice(i, i + BLOCK) for i in range(0, len(pixels), BLOCK)]
        return np.concatenate([predictor.features(pixels[rows]) for rows in blocks])
