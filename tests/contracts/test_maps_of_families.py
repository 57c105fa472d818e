"""Exact maps, maps of earlier layers and mosaics for every family; none where there is no place."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from deepsight.core.errors import DeepSightError
from deepsight.interpret.attribution.cam import Layer, layer_for, require_spatial
from deepsight.interpret.attribution.exact_cam import exact_maps
from deepsight.interpret.attribution.stage_maps import class_maps
from deepsight.model.backbone import Classifier
from deepsight.model.predict import Predictor
from deepsight.model.preprocess import Preprocessing

SIDE, K = 128, 5
LAST = {
    "resnet18": "stage 4",
    "tf_efficientnet_lite0": "top",
    "vgg11_bn": "block 5",
    "convnext_atto": "stage 4",
}


def backbone(name: str) -> nn.Module:
    """With random weights; VGG without its two layers of 4,096 units, which are not used here."""
    if name != "vgg11_bn":
        return timm.create_model(name, num_classes=0)
    vgg = timm.models.vgg
    return vgg.VGG(vgg.cfgs["vgg11"], norm_layer=nn.BatchNorm2d, num_classes=0, mlp_ratio=0.01)


@pytest.fixture(scope="module", params=LAST)
def predictor(request: pytest.FixtureRequest) -> Predictor:
    torch.manual_seed(0)
    classifier = Classifier(backbone(request.param), K)
    nn.init.normal_(classifier.head.weight)
    nn.init.normal_(classifier.head.bias)
    classifier.fuse_all()
    half = (0.5, 0.5, 0.5)
    preprocessing = Preprocessing(SIDE, "bilinear", antialias=True, mean=half, std=half)
    return Predictor(classifier, preprocessing)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(3, 32, 32, 3), dtype=np.uint8)


@pytest.mark.slow
def test_one_pass_is_complete(predictor: Predictor, images: np.ndarray) -> None:
    layer = layer_for(predictor.sides())
    assert layer.name in LAST.values()
    assert layer.side == 4
    seen = exact_maps(predictor, images)
    assert seen.maps.shape == (3, K, 4, 4)
    scale = np.abs(seen.logits).max()
    np.testing.assert_allclose(
        seen.maps.sum(axis=(2, 3)) + predictor.bias, predictor.logits(images), atol=1e-4 * scale
    )


@pytest.mark.slow
def test_an_earlier_layer_by_the_gradient_of_the_tail(predictor: Predictor, images: np.ndarray) -> None:
    name, side = list(predictor.sides().items())[-3]
    asked = np.array([[0, 1], [2, 3], [4, 0]])
    maps = class_maps(predictor, Layer(name, side, None), images, asked)
    assert maps.shape == (3, 2, side, side)
    assert np.isfinite(maps).all()
    assert maps.std() > 0


@pytest.mark.slow
def test_a_mosaic_keeps_its_tiles_at_full_size(predictor: Predictor, images: np.ndarray) -> None:
    mosaic = np.concatenate([np.concatenate([images[0], images[1]], axis=1)] * 2, axis=0)[None]
    large = predictor.of_mosaics(2)
    layer = layer_for(large.sides())
    maps = class_maps(large, layer, mosaic, np.array([[0, 1, 2, 3]]))
    assert maps.shape == (1, 4, 8, 8)


def test_a_transformer_has_no_chain_of_maps() -> None:
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=32, depth=1)
    with torch.inference_mode(), pytest.raises(DeepSightError, match="no spatial map"):
        require_spatial(vit.forward_features(torch.zeros(1, 3, 32, 32)))
    with pytest.raises(DeepSightError, match="its own pooling"):
        Classifier(vit, K).sides(32)
