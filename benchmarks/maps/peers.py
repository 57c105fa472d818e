"""The peers' own ways to a map of one class for each image of a batch."""

import torch
from networks import Plain
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from speed import Way
from torch import Tensor
from torchcam.methods import CAM
from torchcam.methods import GradCAM as TorchGradCAM

from deepsight.interpret.attribution.exact_cam import exact_maps_of_batches


def of_peers(name: str) -> dict[str, Way]:
    """The plain network: a forward pass, our maps of all ten classes, and each peer's map of one class."""
    net = Plain(name)
    weight, bias = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    gradcam = GradCAM(net, [net.last])
    closed, by_gradient = CAM(net, "last", "head"), TorchGradCAM(net, "last")

    def bare(x: Tensor, _: Tensor) -> object:
        with torch.inference_mode():
            return net(x)

    def with_maps(x: Tensor, _: Tensor) -> object:
        with torch.inference_mode():
            maps = net.last(net.late(net.early(x)))
            return exact_maps_of_batches([maps], lambda a: net.head(a.mean((2, 3))), weight, bias)

    def torchcam(extractor: CAM | TorchGradCAM, *, grad: bool) -> Way:
        def way(x: Tensor, c: Tensor) -> object:
            with torch.set_grad_enabled(grad):
                scores = net(x)
            return extractor(c.tolist(), scores, normalized=False)

        return way

    return {
        "bare forward pass": bare,
        "DeepSight, all ten classes": with_maps,
        "grad-cam, one class": lambda x, c: gradcam(x, [ClassifierOutputTarget(int(i)) for i in c]),
        "torchcam CAM, one class": torchcam(closed, grad=False),
        "torchcam GradCAM, one class": torchcam(by_gradient, grad=True),
    }
