"""Frozen ImageNet features, on which a head in closed form is a model in a twentieth of a second."""

import numpy as np
from cues import Images8, K
from numpy.typing import NDArray

from deepsight.core.recipe import Recipe
from deepsight.model import pretrained as weights
from deepsight.model.backbone import Classifier
from deepsight.model.predict import Predictor
from deepsight.model.training.fit import preprocessing_of

SIDE = 64
RECIPE = Recipe(resolution=SIDE, epochs=1.0, views=1)
COMPONENTS = 320

Floats = NDArray[np.floating]


def backbone() -> Predictor:
    """EfficientNet-Lite0 with its ImageNet weights, whose head is never used."""
    pretrained = weights.load_pretrained(weights.PACKAGED)
    classifier = Classifier(pretrained.backbone, K)
    classifier.fuse_all()
    return Predictor(classifier, preprocessing_of(pretrained, RECIPE))


def components(features: Floats) -> Floats:
    """The leading principal directions (1280, 320): heads on them are linear in the features, and cheap."""
    centred = features - features.mean(axis=0)
    return np.linalg.eigh(centred.T @ centred)[1][:, -COMPONENTS:].astype(np.float32)


def object_features(net: Predictor, images: Images8, cover: Floats) -> tuple[Floats, Floats]:
    """Pooled features (n, d) of whole images, and the part that comes from the object's cells."""
    maps = np.concatenate([batch.numpy() for batch in net.map_batches(images)])
    return maps.mean(axis=(2, 3)), (maps * cover[:, None]).mean(axis=(2, 3))
