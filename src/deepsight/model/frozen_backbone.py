"""The backbone as it came, before it has seen a label of the study."""

import copy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.fit import preprocessing_of
from deepsight.model.predict import BLOCK, Predictor, blocks_of
from deepsight.model.pretrained import Pretrained
from deepsight.model.training_state import TrainablePart, pooled

BLOCK_OF_MAPS = 1024  # images whose maps after the frozen stages are in memory at a time


class FrozenBackbone:
    """Pooled features from ImageNet weights alone.

    Args:
        pretrained: left as it is; a copy is folded.
    """

    def __init__(self, pretrained: Pretrained) -> None:
        self._pretrained = pretrained
        self._classifier = Classifier(copy.deepcopy(pretrained.backbone), 1)  # its head is never used
        self._classifier.fuse_all()

    def features(self, pixels: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.float32]:
        """Features (n, d) of uint8 images (n, h, w, 3), with the input that a recipe declares."""
        preprocessing = preprocessing_of(self._pretrained, recipe)
        predictor = Predictor(self._classifier, preprocessing)
        return np.concatenate([predictor.features(pixels[rows]) for rows in blocks_of(len(pixels), BLOCK)])

    def beside(
        self, predictor: Predictor, data: Dataset, *, name: str
    ) -> tuple[Predictions, NDArray[np.float32]]:
        """The predictions of a fine-tuned copy of this backbone, and the features (n, d) of this one.

        Both share the frozen stages, so each image passes these once. Where the copy's frozen stages differ
        (batch norm was measured anew on the target's images), each image passes both networks.

        Args:
            predictor: the fine-tuned copy.
            data: the images.
            name: of the split, for what is said of a bad batch.
        """
        tuned, own = predictor.classifier, self._classifier
        if not same_weights(tuned.frozen_stages, own.frozen_stages):
            alone = replace(predictor, classifier=own)
            return predictor.predictions(data, name=name), alone.features_of(data, name=name)
        trainable = TrainablePart(own.after(tuned.last_frozen_stage)[:-1], own.head)
        found: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        for rows in blocks_of(len(data), BLOCK_OF_MAPS):
            maps = predictor.stage_maps(tuned.last_frozen_stage, data.pixels(rows), name=name)
            found.append(
                (pooled(TrainablePart(tuned.trainable_stages, tuned.head), maps), pooled(trainable, maps))
            )
        features, frozen = (np.concatenate(parts) for parts in zip(*found, strict=True))
        logits = predictor.logits_of(features)
        return Predictions(data.ids, data.labels, logits, features), frozen


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same tensors under the same names, bit for bit."""
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name].cpu(), b[name].cpu()) for name in a)
