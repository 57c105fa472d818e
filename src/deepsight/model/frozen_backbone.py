"""The pretrained backbone, before it is fine-tuned on the study's labels."""

import copy

import numpy as np
import torch
from torch import nn

from deepsight.core.array_types import Floats32, Pixels
from deepsight.core.blocks import blocks_of
from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import PassPrecision, Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.engine import ForwardEngine, active_settings
from deepsight.model.engine.graphs import FeaturesGraph, FeaturesOfTwo
from deepsight.model.predict import BLOCK, Predictor
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.fit import preprocessing_of


class FrozenBackbone:
    """Pooled features from ImageNet weights alone.

    Args:
        pretrained: not changed; a copy is fused.
    """

    def __init__(self, pretrained: Pretrained) -> None:
        self._pretrained = pretrained
        self._classifier = Classifier(copy.deepcopy(pretrained.backbone), 1)  # its head is never used
        self._classifier.fuse_all()
        self._engines: dict[PassPrecision, ForwardEngine] = {}

    def features(self, pixels: Pixels, recipe: Recipe) -> Floats32:
        """Features (n, d) of uint8 images (n, h, w, 3), with the input that a recipe declares.

        They are computed in the precision of the active engine settings.
        """
        batches = preprocessing_of(self._pretrained, recipe).batches(pixels, "images")
        engine = self._engine(active_settings().precision)
        return np.concatenate([found.cpu().numpy() for (found,) in engine.run(batches, len(pixels))])

    def _engine(self, precision: PassPrecision) -> ForwardEngine:
        if precision not in self._engines:
            self._engines[precision] = ForwardEngine(FeaturesGraph(self._classifier.stages), precision)
        return self._engines[precision]

    def beside(self, predictor: Predictor, data: Dataset, *, name: str) -> tuple[Predictions, Floats32]:
        """The predictions of a fine-tuned copy of this backbone, and the features (n, d) of this one.

        Both share the frozen stages, so each image passes these once. If the copy's frozen stages differ
        (their batch norms were re-estimated on the target's images), each image passes both networks.

        Args:
            predictor: the fine-tuned copy.
            data: the images.
            name: of the split, for messages about a bad batch.
        """
        tuned, own = predictor.classifier, self._classifier
        if not same_weights(tuned.frozen_stages, own.frozen_stages):
            alone = Predictor(own, predictor.preprocessing)
            return predictor.predictions(data, name=name), alone.features_of(data, name=name)
        rest = own.after(tuned.last_frozen_stage)[:-1]
        engine = ForwardEngine(FeaturesOfTwo(tuned.frozen_stages, tuned.trainable_stages, rest))
        found: list[tuple[Floats32, Floats32]] = []
        for rows in blocks_of(len(data), BLOCK):
            batches = predictor.preprocessing.batches(data.pixels(rows), name)
            found += [
                (a.cpu().numpy(), b.cpu().numpy()) for a, b in engine.run(batches, rows.stop - rows.start)
            ]
        features, frozen = (np.concatenate(parts) for parts in zip(*found, strict=True))
        logits = predictor.logits_of(features)
        return Predictions(data.ids, data.labels, logits, features), frozen


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same tensors under the same names, bit for bit."""
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name].cpu(), b[name].cpu()) for name in a)
