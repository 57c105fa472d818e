"""What is timed of a model; a network whose gradients fail is not refused for it."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from colour_task import ColourNet, coloured_discs
from deepsight.model.foreign.foreign_model import ForeignModel
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import network_of_module
from deepsight.workflows.examine.fit_model import fit_to_data
from deepsight.workflows.examine.pace import BACKWARD, measured_pace, seconds_of_a_gradient

DATA = coloured_discs(60)
FORMAT = InputFormat(32, 32, scale="0..1")


class Detached(ColourNet):
    """Leaves torch on its way to the scores."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(super().forward(images).detach().numpy())


def opened(module: nn.Module, *, inside: bool = True, **known: object) -> ForeignModel:
    network = network_of_module(module.eval(), "a model", **known)
    network = network if inside else replace(network, module=None, watch=None, parameters=None)
    return fit_to_data(network, DATA, preprocess=FORMAT).model


def test_the_pace_says_what_kind_of_model_it_is() -> None:
    seen = measured_pace(opened(ColourNet()), DATA, image=1e-6)
    assert seen.gradient is not None
    assert seen.gradient >= seen.image
    assert (seen.methods, seen.mosaic) == (6, 4)
    assert measured_pace(opened(ColourNet(), size=(32, 32)), DATA, image=1e-3).mosaic == 1
    asked = measured_pace(opened(ColourNet(), inside=False), DATA, image=1e-3)
    assert (asked.gradient, asked.methods, asked.mosaic) == (None, 2, 1)


def test_a_network_without_gradients_counts_three_passes() -> None:
    pixels = DATA.pixels(np.arange(2))
    assert seconds_of_a_gradient(opened(Detached()), pixels, image=0.5) == BACKWARD * 0.5  # type: ignore[arg-type]
