"""Maps are pooled over their positions, never over their channels."""

import numpy as np
import torch
from torch import Tensor, nn

from deepsight.model.foreign.foreign_model import ForeignModel, WatchedModel, foreign_model
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import network_of_module
from deepsight.model.foreign.outputs import OutputReading
from deepsight.model.foreign.penultimate import answers_and_features, pooled_output

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


class Constant(nn.Module):
    """One number, as converted graphs hold their constants."""

    def forward(self) -> Tensor:
        return torch.tensor(0.5)


class Converted(nn.Module):
    """Parts as a converter makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.constant, self.conv, self.head = Constant(), nn.Conv2d(3, 5, 3), nn.Linear(5, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv(images * self.constant()).mean(dim=(2, 3)))


def opened(**known: object) -> ForeignModel:
    network = network_of_module(Converted().eval(), "converted", **known)
    return foreign_model(network, InputFormat(8, 8), OutputReading("logits", 3), np.arange(3))


def test_parts_that_hold_one_number_are_passed_over() -> None:
    model = opened()
    assert isinstance(model, WatchedModel)
    logits, features = answers_and_features(model, IMAGES)
    assert (logits.shape, features.shape) == ((6, 3), (6, 5))


def test_a_fixed_batch_of_several_images_is_a_black_box_that_answers() -> None:
    class Four(Converted):
        def forward(self, images: Tensor) -> Tensor:
            assert len(images) == 4
            return super().forward(images)

    network = network_of_module(Four().eval(), "four", batch=4)
    model = foreign_model(network, InputFormat(8, 8), OutputReading("logits", 3), np.arange(3))
    assert not isinstance(model, WatchedModel)
    assert model.logits(IMAGES).shape == (6, 3)
    assert isinstance(opened(batch=1), WatchedModel)


def test_maps_that_are_not_square_are_pooled_over_positions() -> None:
    maps = torch.rand(2, 6, 3, 5)
    torch.testing.assert_close(pooled_output(maps), maps.mean((2, 3)))
    torch.testing.assert_close(pooled_output(maps.permute(0, 2, 3, 1), nhwc=True), maps.mean((2, 3)))


def test_square_maps_show_where_their_channels_are() -> None:
    maps = torch.rand(2, 6, 4, 4)
    for nhwc in (False, True):
        torch.testing.assert_close(pooled_output(maps, nhwc=nhwc), maps.mean((2, 3)))
        torch.testing.assert_close(pooled_output(maps.permute(0, 2, 3, 1), nhwc=nhwc), maps.mean((2, 3)))


def test_tokens_are_averaged_and_vectors_kept() -> None:
    tokens = torch.rand(2, 7, 5)
    torch.testing.assert_close(pooled_output(tokens), tokens.mean(1))
    torch.testing.assert_close(pooled_output(tokens[:, 0]), tokens[:, 0])
