"""One pass gives what separate passes give, and a head that the maps do not explain is refused."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conv_nets import SmallNet
from deepsight.core.errors import DeepSightError
from deepsight.interpret.attribution.exact_cam import exact_maps, exact_maps_of_batches
from open_nets import OpenNet


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(70, 32, 32, 3), dtype=np.uint8)


def test_one_pass_gives_logits_features_and_all_maps(images: np.ndarray) -> None:
    model = OpenNet(SmallNet(4))
    seen = exact_maps(model, images)
    np.testing.assert_allclose(seen.logits, model.logits(images), atol=1e-5)
    activations = model.stage_maps("stage", images).numpy()
    np.testing.assert_allclose(seen.features, activations.mean(axis=(2, 3)), atol=1e-6)
    second = np.einsum("kd,ndhw->nkhw", model.weight, activations) / 64
    np.testing.assert_allclose(seen.maps, second, atol=1e-6)
    np.testing.assert_allclose(seen.maps.sum(axis=(2, 3)) + model.bias, seen.logits, atol=1e-5)


def test_the_images_are_run_once(images: np.ndarray) -> None:
    model, batches = OpenNet(SmallNet(4)), []
    model.net.stage1.register_forward_hook(lambda *_: batches.append(1))
    exact_maps(model, images)
    assert len(batches) == 2  # of 64 and of 6 images


@pytest.mark.parametrize("pooling", [nn.AdaptiveMaxPool2d(1), nn.Hardtanh()])
def test_a_head_that_is_not_average_pooling_and_a_linear_layer_is_refused(
    images: np.ndarray, pooling: nn.Module
) -> None:
    model = OpenNet(SmallNet(4))

    def head(maps: Tensor) -> Tensor:
        return model.net.head(pooling(maps).mean(dim=(2, 3)) + 1)

    with pytest.raises(DeepSightError, match="not average pooling"):
        exact_maps_of_batches(model.map_batches(images), head, model.weight, model.bias)


def test_tokens_have_no_places() -> None:
    with pytest.raises(DeepSightError, match="no spatial map"):
        exact_maps_of_batches(
            [torch.zeros(2, 197, 12)], lambda a: a, np.zeros((4, 12), np.float32), np.zeros(4, np.float32)
        )
