"""Maps of any differentiable model: the layers that are found, and the values against independent code."""

from itertools import pairwise

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from deepsight.interpret.attribution.attention import PropagationRules
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.module_maps import ModuleMaps, module_attributors, shuffled
from deepsight.model.foreign.foreign_model import ForeignModel, foreign_model
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import network_of_module
from deepsight.model.foreign.outputs import OutputReading

SIDE, K = 64, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)
LABELS = np.arange(4)


class Flat(nn.Module):
    """Convolutions, then three dense layers on the flattened map."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, 1, 1),
            nn.ReLU(inplace=True), nn.MaxPool2d(2),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * 64, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, K)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "flat":
        return Flat().eval()
    if name == "swin":
        return timm.create_model(
            "swin_tiny_patch4_window7_224", num_classes=K, img_size=SIDE, window_size=4, embed_dim=12,
            depths=(1, 1), num_heads=(1, 2),
        ).eval()  # fmt: skip
    if name in ("vit", "deit"):
        full = {"vit": "vit_tiny_patch16_224", "deit": "deit_tiny_distilled_patch16_224"}[name]
        return timm.create_model(full, num_classes=K, img_size=SIDE, depth=3).eval()
    return timm.create_model(name, num_classes=K).eval()


def opened(module: nn.Module) -> ForeignModel:
    network = network_of_module(module, "x")
    return foreign_model(network, InputFormat(SIDE, SIDE), OutputReading("logits", K), np.arange(K))


def attributors(module: nn.Module) -> list[Attributor]:
    return module_attributors(opened(module), IMAGES, LABELS)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("flat", {"HiResCAM", "Grad-CAM"}), ("swin", {"closed form"}),
        ("vit", {"gradient × token", "LRP", "attention rollout"}),
        ("deit", {"gradient × token", "LRP", "attention rollout"}),
    ],
)  # fmt: skip
def test_layers_and_methods_are_found_by_shape(name: str, methods: set[str]) -> None:
    module = made(name)
    found = attributors(module)
    assert {each.method for each in found} == methods
    for each in found:
        maps = each.maps(IMAGES, LABELS[:, None])
        assert maps.shape == (4, 1, each.layer.side, each.layer.side)
        assert each.layer.side >= 4
    assert not any(part._forward_hooks for part in module.modules())
    assert all(p.grad is None for p in module.parameters())


class Pooled(nn.Module):
    """Convolutions that halve the sides, so often, then dense layers on the flattened map."""

    def __init__(self, halvings: int) -> None:
        super().__init__()
        widths = [3, *[8] * halvings]
        stages = [nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.ReLU()) for a, b in pairwise(widths)]
        self.features = nn.Sequential(*stages)
        self.head = nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, K))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


@pytest.mark.parametrize(("halvings", "sides"), [(3, {8}), (4, {4, 8})])
def test_a_layer_with_more_cells_competes_where_the_deepest_is_coarse(halvings: int, sides: set[int]) -> None:
    module = Pooled(halvings)
    module(torch.zeros(1, 3, SIDE, SIDE))
    found = attributors(module.eval())
    assert {each.layer.side for each in found} == sides
    assert len(found) == 2 * len(sides)
    finest = max(found, key=lambda each: each.layer.side)
    assert finest.maps(IMAGES, LABELS[:, None]).shape == (4, 1, 8, 8)


@pytest.mark.slow
def test_exact_maps_sum_to_the_logits() -> None:
    (maps,) = attributors(made("swin"))
    exact = maps.exact(IMAGES)
    assert exact is not None
    assert isinstance(maps, ModuleMaps)
    sums = exact.maps.sum(axis=(2, 3)) + maps.bias.numpy()
    np.testing.assert_allclose(sums, exact.logits, atol=1e-3)
    own = maps.maps(IMAGES, LABELS[:, None])[:, 0]
    np.testing.assert_allclose(own, exact.maps[np.arange(4), LABELS], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["HiResCAM", "Grad-CAM"])
def test_against_pytorch_grad_cam(method: str) -> None:
    cams = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    module = made("flat")
    ours = next(each for each in attributors(module) if each.method == method)
    mine = ours.maps(IMAGES, LABELS[:, None])[:, 0]
    kind = cams.HiResCAM if method == "HiResCAM" else cams.GradCAM
    inputs = InputFormat(SIDE, SIDE)(IMAGES)
    with kind(model=module, target_layers=[module.features]) as cam:
        theirs = cam(inputs, [ClassifierOutputTarget(c) for c in LABELS])
    for a, b in zip(np.maximum(mine, 0), theirs, strict=True):
        large = np.kron(a, np.ones((SIDE // len(a),) * 2))
        assert a.max() == 0 or np.corrcoef(large.ravel(), b.ravel())[0, 1] > 0.85  # theirs is smoothed


def test_against_captum() -> None:
    attr = pytest.importorskip("captum.attr")
    module = made("flat")
    ours = next(each for each in attributors(module) if each.method == "Grad-CAM")
    inputs, asked = InputFormat(SIDE, SIDE)(IMAGES), torch.from_numpy(LABELS)
    theirs = attr.LayerGradCam(module, module.features).attribute(inputs, target=asked)
    np.testing.assert_allclose(
        ours.maps(IMAGES, LABELS[:, None])[:, 0], theirs[:, 0].detach().numpy(), atol=1e-6
    )


def test_relevance_is_conserved_by_the_rules() -> None:
    torch.manual_seed(0)
    block = timm.models.vision_transformer.Block(16, 2).eval()
    for part in block.modules():
        if isinstance(part, nn.Linear | nn.LayerNorm) and part.bias is not None:
            nn.init.zeros_(part.bias)
    x = torch.randn(2, 5, 16, requires_grad=True)
    with PropagationRules():
        out = block(x)[:, 0].sum(dim=1)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close((gradient * x).sum(dim=(1, 2)), out, atol=1e-4, rtol=1e-4)


def test_shuffled_weights_come_back_also_after_an_error() -> None:
    module = made("flat")
    before = [p.detach().clone() for p in module.parameters()]

    def fails() -> None:
        with shuffled(list(module.parameters()), 0):
            assert not all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fails()
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


class LastChannels(nn.Module):
    """A network with channels last that ends in a softmax, as those of Keras do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 8, 3, 4, 1), nn.Linear(8, K)
        self.turn = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        maps = self.turn(self.conv(images).relu().permute(0, 2, 3, 1))
        return self.head(maps.mean(dim=(1, 2))).softmax(dim=1)


def test_relevance_is_propagated_through_the_softmax_of_the_outputs() -> None:
    network = network_of_module(LastChannels().eval(), "x")
    model = foreign_model(network, InputFormat(SIDE, SIDE), OutputReading("probabilities", K), np.arange(K))
    found = module_attributors(model, IMAGES, LABELS)  # type: ignore[arg-type]
    assert "LRP" in {each.method for each in found}
    for each in found:
        maps = each.maps(IMAGES, LABELS[:, None])
        assert np.abs(maps).max(axis=(1, 2, 3)).min() > 0
