"""Planted faults of preprocessing and class order are found, and what fits is left alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colour_task import ColourNet, coloured_discs
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import network_of_module
from deepsight.workflows.examine.fit_model import fit_to_data
from deepsight.workflows.examine.input_trials import assumed_format

DATA = coloured_discs()
RIGHT = InputFormat(32, 32)


def accuracy(fitted: object) -> float:
    logits = fitted.model.logits(DATA.pixels())  # type: ignore[attr-defined]
    return float((logits.argmax(axis=1) == DATA.labels).mean())


def test_what_is_documented_and_right_is_kept() -> None:
    fitted = fit_to_data(network_of_module(ColourNet(), "x", documented=RIGHT), DATA)
    assert (fitted.warnings, fitted.input_format) == ((), RIGHT)
    assert accuracy(fitted) > 0.95
    assert set(fitted.evidence) == {"preprocessing_audit", "class_order_audit"}


@pytest.mark.parametrize(
    ("module", "hint"),
    [(ColourNet(bgr=True), "channels are probably swapped"), (ColourNet(scale=255.0), "0 to 255")],
)
def test_a_documented_preprocessing_that_is_wrong_is_named(module: nn.Module, hint: str) -> None:
    fitted = fit_to_data(network_of_module(module, "x", documented=RIGHT), DATA)
    assert any(hint in warning for warning in fitted.warnings)
    assert accuracy(fitted) > 0.95


@pytest.mark.parametrize("module", [ColourNet(), ColourNet(scale=255.0)])
def test_without_documentation_the_scaling_is_found(module: nn.Module) -> None:
    assert accuracy(fit_to_data(network_of_module(module, "x"), DATA)) > 0.95


def test_a_slow_model_without_documentation_gets_a_short_audit() -> None:
    fitted = fit_to_data(network_of_module(ColourNet(scale=255.0), "x"), DATA, seconds=0.0)
    tried = fitted.evidence["preprocessing_audit"].frame
    assert (len(tried), set(tried["n"])) == (10, {12})
    assert "time for 12 images" in fitted.warnings[-1]
    assert accuracy(fitted) > 0.95


class Unsure(ColourNet):
    """Made for pixels from -1 to 1. A first pixel above 0 makes an answer less sure, but not wrong."""

    def forward(self, images: Tensor) -> Tensor:
        above = images[:, :1, 0, 0].clamp(min=0)
        return super().forward((images + 1) / 2) / (1 + 50 * above)


def test_a_tie_on_few_images_is_broken_by_how_sure_the_answers_are() -> None:
    fitted = fit_to_data(network_of_module(Unsure(), "x"), DATA, seconds=0.0)
    table = fitted.evidence["preprocessing_audit"]
    right = table.frame.filter(preprocessing="pixels -1 to 1").row(0, named=True)
    first = table.frame.filter(preprocessing="pixels 0 to 1").row(0, named=True)
    assert (right["n"], right["macro_f1"], first["macro_f1"]) == (12, 1.0, 1.0)
    assert right["chosen"]
    assert fitted.input_format == replace(RIGHT, scale="-1..1")
    assert "cannot tell them apart" not in table.caption


def test_scalings_that_change_nothing_are_not_told_apart() -> None:
    """Each channel is standardised, so five scalings come to the same; the first of them is taken."""
    module = nn.Sequential(nn.InstanceNorm2d(3, eps=1e-12), ColourNet()).eval()
    fitted = fit_to_data(network_of_module(module, "x"), DATA, seconds=0.0)
    assert fitted.input_format == RIGHT
    caption = fitted.evidence["preprocessing_audit"].caption
    assert "4 of the others tried make the labels as probable" in caption


def test_a_preprocessing_that_is_given_is_used_as_it_is() -> None:
    wrong = replace(RIGHT, scale="0..255")
    fitted = fit_to_data(network_of_module(ColourNet(), "x", documented=RIGHT), DATA, preprocess=wrong)
    assert fitted.input_format == wrong
    assert "preprocessing_audit" not in fitted.evidence


def test_exchanged_classes_stop_the_examination_until_the_order_is_stated() -> None:
    network = network_of_module(ColourNet(order=(1, 0, 2)), "x", documented=RIGHT)
    with pytest.raises(DeepSightError, match="'red' is answered as 'green'"):
        fit_to_data(network, DATA)
    assert accuracy(fit_to_data(network, DATA, classes=("green", "red", "blue"))) > 0.95
    with pytest.raises(UsageError, match="3 names"):
        fit_to_data(network, DATA, classes=("green", "red"))


def test_names_of_the_outputs_give_their_order() -> None:
    network = network_of_module(
        ColourNet(order=(2, 0, 1)), "x", documented=RIGHT, classes=("Blue", "red", "GREEN")
    )
    assert accuracy(fit_to_data(network, DATA)) > 0.95


def test_names_that_are_not_the_datas_are_said() -> None:
    network = network_of_module(ColourNet(), "x", documented=RIGHT, classes=("rot", "gelb", "blau"))
    said = "names its outputs rot, gelb, blau, the data its classes red, green, blue: they are matched by"
    assert any(said in warning for warning in fit_to_data(network, DATA).warnings)
    more = network_of_module(
        ColourNet(order=(0, 1, 2, 0)), "x", documented=RIGHT, classes=("a", "b", "c", "d")
    )
    with pytest.raises(DeepSightError, match="It names them a, b, c, d"):
        fit_to_data(more, DATA)


def test_one_output_cannot_tell_three_classes_apart() -> None:
    with pytest.raises(DeepSightError, match="one number for each image, which tells two classes apart"):
        fit_to_data(network_of_module(ColourNet(order=(0,)), "x", documented=RIGHT), DATA)


def test_a_preprocessing_may_return_an_array_and_nothing_else() -> None:
    network = network_of_module(ColourNet(), "x")
    fitted = fit_to_data(network, DATA, preprocess=lambda pixels: RIGHT(pixels).numpy())
    assert accuracy(fitted) > 0.95
    for wrong in (lambda pixels: RIGHT(pixels)[:1], list):
        with pytest.raises(DeepSightError, match="return a tensor with a row for each of"):
            fit_to_data(network, DATA.select(np.arange(60)), preprocess=wrong)


class Background(ColourNet):
    """One output more than there are classes."""

    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.first = first

    def forward(self, images: Tensor) -> Tensor:
        found = super().forward(images)
        none = torch.full_like(found[:, :1], -9.0)
        return torch.cat([none, found] if self.first else [found, none], dim=1)


@pytest.mark.parametrize("first", [True, False])
def test_a_background_output_is_left_out(first: bool) -> None:
    network = network_of_module(Background(first=first), "x", documented=RIGHT)
    assert accuracy(fit_to_data(network, DATA)) > 0.95


@pytest.mark.parametrize("order", [(0, 1), (0, 1, 2, 0, 1)])
def test_another_number_of_outputs_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(
        DeepSightError, match=f"Expected 3 outputs, one for each class of the data, received {len(order)}"
    ):
        fit_to_data(network_of_module(ColourNet(order=order), "x", documented=RIGHT), DATA)


def test_a_module_that_fails_says_on_what() -> None:
    class Fixed(ColourNet):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[-1] == 50, "wrong size"
            return super().forward(images)

    with pytest.raises(DeepSightError, match=r"\(64, 3, 32, 32\).*wrong size"):
        fit_to_data(network_of_module(Fixed(), "x"), DATA, preprocess=RIGHT)
    found = fit_to_data(network_of_module(Fixed(), "x"), DATA, preprocess=InputFormat(50, 50))
    assert accuracy(found) > 0.95


def test_a_fixed_batch_is_filled_up() -> None:
    class Seven(ColourNet):
        def forward(self, images: Tensor) -> Tensor:
            assert len(images) == 7
            return super().forward(images)

    network = replace(network_of_module(Seven(), "x", documented=RIGHT), batch=7)
    assert accuracy(fit_to_data(network, DATA)) > 0.95


def test_interpolation_that_does_not_matter_is_not_mentioned() -> None:
    fitted = fit_to_data(
        network_of_module(ColourNet(), "x", documented=replace(RIGHT, height=48, width=48)), DATA
    )
    assert fitted.warnings == ()
    table = fitted.evidence["preprocessing_audit"].frame
    assert "bicubic" in table["preprocessing"].to_list()
    assert np.isfinite(table["macro_f1"].to_numpy()).all()


@pytest.mark.slow
def test_a_batch_that_is_fixed_is_found_out() -> None:
    class Two(ColourNet):
        def forward(self, images: Tensor) -> Tensor:
            if len(images) != 2:
                raise RuntimeError("Expected a batch of 2")
            return super().forward(images)

    fitted = fit_to_data(network_of_module(Two(), "x", documented=RIGHT), DATA)
    assert fitted.model.opened.batch == 2
    assert accuracy(fitted) > 0.95


def detail_of(images: Tensor) -> Tensor:
    """The mean difference of neighbouring rows, (b,)."""
    return (images[:, :, 1:] - images[:, :, :-1]).abs().mean(dim=(1, 2, 3))


class Grating(nn.Module):
    """Calls an image strong where its detail is above a threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, images: Tensor) -> Tensor:
        above = 100 * (detail_of(images) - self.threshold)
        return torch.stack([-above, above], dim=1)


def gratings(n: int = 200) -> Dataset:
    """Fine stripes of 64 pixels that differ in contrast alone, which bilinear reduction to 32 lowers."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    y = np.arange(64)[None, :, None, None] + rng.integers(0, 8, n)[:, None, None, None]
    stripes = np.sin(2 * np.pi * y / 5) * np.where(labels, 100, 88)[:, None, None, None]
    images = np.broadcast_to(128 + stripes, (n, 64, 64, 3)) + rng.normal(0, 2, (n, 64, 64, 3))
    return Dataset(images.clip(0, 255).astype(np.uint8), labels, ("weak", "strong"), np.arange(n), "test")


@pytest.mark.slow
@pytest.mark.parametrize("documented", ["bilinear", "bicubic"])
def test_bilinear_for_bicubic_is_said_where_it_matters(documented: str) -> None:
    data, right = gratings(), InputFormat(32, 32, interpolation="bicubic")
    detail = detail_of(right(data.pixels())).numpy()
    threshold = float(np.mean([detail[data.labels == c].mean() for c in (0, 1)]))
    known = replace(right, interpolation=documented)
    network = network_of_module(Grating(threshold), "x", documented=known)
    fitted = fit_to_data(network, data)
    assert any("With bicubic it gains" in w for w in fitted.warnings) == (documented == "bilinear")
    assert fitted.input_format == right


class Outputs(ColourNet):
    """The colour network with its scores turned into something else."""

    def __init__(self, out: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.out = out

    def forward(self, images: Tensor) -> Tensor:
        return self.out(super().forward(images))


def test_one_logit_of_the_first_class_is_not_explained_by_swapped_channels() -> None:
    """All answers are wrong, and half of them right in BGR: the order of the two classes explains more."""
    rows = np.flatnonzero(DATA.labels < 2)
    two = Dataset(DATA.images[rows], DATA.labels[rows], ("red", "green"), np.arange(len(rows)), "test")
    network = network_of_module(Outputs(lambda z: z[:, :1] - z[:, 1:2]), "x")
    with pytest.raises(DeepSightError, match="--classes green,red"):
        fit_to_data(network, two)
    fitted = fit_to_data(network, two, classes=["green", "red"])
    assert (fitted.model.logits(two.pixels()).argmax(axis=1) == two.labels).all()


def test_the_order_is_that_of_the_plain_channels() -> None:
    """Three colours in another order can be had with BGR and yet another order; the plain one is offered."""
    with pytest.raises(DeepSightError, match="--classes blue,red,green"):
        fit_to_data(network_of_module(ColourNet(order=(2, 0, 1)), "x"), DATA)


def batch_statistics() -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), ColourNet())


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Outputs(lambda z: z + 30 * torch.randn_like(z)), "something in it is random"),
        (batch_statistics(), "depend on the others in its batch"),
        (Outputs(lambda z: (z - 5).sigmoid()), "a probability for each class by itself"),
        (
            Outputs(lambda z: 0 * z + torch.tensor([5.0, 0, 1])),
            "no more than guessing gives. It gives all of them",
        ),
    ],
)
def test_what_a_reader_must_know_of_the_answers(module: nn.Module, said: str) -> None:
    warnings = fit_to_data(network_of_module(module.eval(), "x"), DATA, preprocess=RIGHT).warnings
    assert any(said in warning for warning in warnings)


def test_a_size_beyond_the_usual_ones_is_found() -> None:
    class Large(ColourNet):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[-1] == 160, "the position embedding is for 160 pixels."
            return super().forward(images)

    few = DATA.select(np.arange(12))
    network = network_of_module(Large(), "x")
    assert assumed_format(network, few) == replace(RIGHT, height=160, width=160)
    found = fit_to_data(network, few).input_format
    assert found is not None
    assert (found.height, found.width) == (160, 160)
