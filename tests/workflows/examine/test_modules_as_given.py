"""Modules as people have them: each is read or refused with a sentence; its modes stay as they were."""

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colour_task import ColourNet, coloured_discs
from deepsight.core.errors import DeepSightError
from deepsight.interpret.findings import Findings
from deepsight.workflows.examine import examine as under_test
from deepsight.workflows.examine.examination import ExaminedModel, predictions_of

DATA = coloured_discs(60)
Output = Callable[[Tensor], Any]


class Given(ColourNet):
    """The colour network with parts that behave otherwise in training, and outputs of another kind."""

    def __init__(self, out: Output = lambda scores: scores, **more: Any) -> None:
        super().__init__(**more)
        self.norm, self.drop, self.out = nn.BatchNorm2d(3, affine=False), nn.Dropout(0.5), out

    def forward(self, images: Tensor) -> Any:
        maps = self.act(self.conv(images))
        return self.out(self.head(self.drop(self.flat(self.pool(maps)))))


class OneByOne(Given):
    """A network that takes a single image."""

    def forward(self, images: Tensor) -> Any:
        if len(images) > 1:
            raise ValueError("expected one image")
        return super().forward(images)


class Fixed(Given):
    def forward(self, images: Tensor) -> Any:
        assert images.shape[-1] == 224, "Input height doesn't match model (224)."
        return super().forward(images)


def frozen_norm() -> nn.Module:
    module = Given().train()
    module.norm.eval()
    return module


def dropout_at_work() -> nn.Module:
    module = Given().eval()
    module.drop.train()
    return module


def traced() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        return torch.jit.trace(Given().eval(), torch.zeros(2, 3, 32, 32))  # type: ignore[no-any-return]


READ: dict[str, Callable[[], Any]] = {
    "plain": Given,
    "dict": lambda: Given(lambda z: {"logits": z}),
    "tuple": lambda: Given(lambda z: (z, z)),
    "output of a library": lambda: Given(lambda z: SimpleNamespace(logits=z, loss=None)),
    "list with an auxiliary head": lambda: Given(lambda z: [z, z]),
    "softmax": lambda: Given(lambda z: z.softmax(1)),
    "log-softmax": lambda: Given(lambda z: z.log_softmax(1)),
    "sigmoid": lambda: Given(lambda z: (z - 3).sigmoid()),
    "trailing ones": lambda: Given(lambda z: z[:, :, None, None]),
    "numpy": lambda: Given(lambda z: z.detach().numpy()),
    "half": lambda: Given().half(),
    "bfloat16": lambda: Given().bfloat16(),
    "double": lambda: Given().double(),
    "one size only": Fixed,
    "one image at a time": OneByOne,
    "an answer to the first image alone": lambda: Given(lambda z: z[:1]),
    "a function": lambda: lambda images: 100 * (images - 0.45).clamp(min=0).mean((2, 3)),
    "traced": traced,
    "data parallel": lambda: nn.DataParallel(Given()),
    "frozen norm in training": frozen_norm,
    "dropout at work": dropout_at_work,
}
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "one logit for three classes": (lambda: Given(order=(0,)), "Expected 3 outputs.*received one number"),
    "a thousand outputs": (lambda: Given(order=(0,) * 1000), "Expected 3 outputs.*received 1000"),
    "two outputs": (lambda: Given(order=(0, 1)), "Expected 3 outputs.*received 2"),
    "one score per pixel": (
        lambda: Given(lambda z: z[:, :, None, None].expand(-1, -1, 4, 4)), "Only image classifiers"
    ),
    "a dictionary by class": (
        lambda: Given(lambda z: {"red": z[:, 0], "green": z[:, 1], "blue": z[:, 2]}), "a dict with red, green"
    ),
    "the chosen class": (lambda: Given(lambda z: z.argmax(1)), "the scores, not the class that it chooses"),
    "distances": (lambda: Given(lambda z: (100 - z)), "as with distances and losses.* return their negative"),
    "percentages": (lambda: Given(lambda z: 100 * z.softmax(1)), "These are percentages"),
    "no weights yet": (lambda: Given().to("meta"), "meta device"),
    "NaN": (lambda: Given(lambda z: z * float("nan")), "received NaN or infinity for 60 of 60"),
    "a class": (lambda: Given, "received the class Given"),
    "a state dict": (lambda: Given().state_dict(), "Expected a model"),
    "a path of tensors": (lambda: "model.pt", "need an architecture"),
    "probabilities": (lambda: np.ones((60, 3)) / 3, "Expected a model"),
}  # fmt: skip


def modes(model: Any) -> dict[str, bool] | None:
    return {n: m.training for n, m in model.named_modules()} if isinstance(model, nn.Module) else None


@pytest.fixture
def right_answers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Shares of right answers: of the examination, only the predictions are made here."""
    shares: list[float] = []

    def predict_only(fitted: Any, data: Any, **_: Any) -> ExaminedModel:
        made = predictions_of(fitted.model, data)
        shares.append(float((made.predicted == made.labels).mean()))
        return ExaminedModel(Findings(), data, made)

    monkeypatch.setattr(under_test, "examine_fitted", predict_only)
    return shares


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
def test_it_is_read(name: str, right_answers: list[float]) -> None:
    model = READ[name]()
    before = modes(model)
    under_test.examine(model, DATA)
    assert right_answers == [pytest.approx(1, abs=0.05)]
    assert modes(model) == before


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_sentence(name: str, right_answers: list[float]) -> None:
    make, said = REFUSED[name]
    model = make()
    if isinstance(model, nn.Module):
        model.train()
    before = modes(model)
    with pytest.raises(DeepSightError, match=said):
        under_test.examine(model, DATA)
    assert modes(model) == before
    assert not right_answers


@pytest.mark.parametrize("data", [torch.utils.data.DataLoader([1, 2, 3]), (DATA.pixels(), DATA.labels)])
def test_data_of_another_kind_is_refused(data: object) -> None:
    with pytest.raises(DeepSightError, match=r"Expected a deepsight\.Dataset, received"):
        under_test.examine(Given(), data)  # type: ignore[arg-type]
