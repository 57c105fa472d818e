"""Largest differences from the peers' unnormalised maps, at the last layer and at an earlier one."""

from collections.abc import Callable

import torch
from captum.attr import LayerGradCam
from networks import K, Plain
from pytorch_grad_cam import GradCAM, HiResCAM, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam.methods import CAM
from torchcam.methods import GradCAM as TorchGradCAM
from torchcam.methods import LayerCAM as TorchLayerCAM

from deepsight.interpret.attribution.cam import layer_maps, signed_maps

Maps = Callable[[int], Tensor]  # a class -> maps (n, h, w)


def of_grad_cam(family: type, net: Plain, layer: nn.Module, x: Tensor) -> Maps:
    """The sum over channels, before that library cuts off the negative part, rescales and enlarges."""

    def maps(c: int) -> Tensor:
        asked = [ClassifierOutputTarget(c)] * len(x)
        with family(net, [layer]) as cam:
            cam(x, asked)
            store = cam.activations_and_grads
            arrays = store.activations[0].numpy(), store.gradients[0].numpy()
            return torch.from_numpy(cam.get_cam_image(x, layer, asked, *arrays, False))

    return maps


def of_torchcam(family: type, net: Plain, layer: str, x: Tensor, *arguments: str) -> Maps:
    """The raw map, with the positive part only where that library ends in a ReLU."""

    def maps(c: int) -> Tensor:
        with family(net, layer, *arguments) as extractor:
            return extractor(c, net(x), normalized=False)[0].detach()

    return maps


def of_captum(net: Plain, layer: nn.Module, x: Tensor) -> Maps:
    """Grad-CAM without a ReLU."""
    method = LayerGradCam(net, layer)
    return lambda c: method.attribute(x, target=c, relu_attributions=False)[:, 0].detach()


def last_layer(net: Plain, x: Tensor) -> dict[str, float]:
    """The closed form against each peer."""
    with torch.no_grad():
        ours = signed_maps(net.last(net.late(net.early(x))), net.head.weight)
    cells = ours.shape[2] * ours.shape[3]
    raw, positive = (lambda c: ours[:, c]), (lambda c: ours[:, c].clamp(min=0))
    summed = of_torchcam(CAM, net, "last", x, "head")
    return {
        "grad-cam GradCAM": gap(raw, of_grad_cam(GradCAM, net, net.last, x)),
        "torchcam CAM": gap(raw, lambda c: summed(c) / cells),  # theirs is for the sum over cells
        "torchcam GradCAM": gap(positive, of_torchcam(TorchGradCAM, net, "last", x)),
        "captum LayerGradCam": gap(raw, of_captum(net, net.last, x)),
    }


def earlier_layer(net: Plain, x: Tensor) -> dict[str, float]:
    """Autograd on the tail alone against each peer's backward pass through the whole network."""
    with torch.no_grad():
        activations = net.early(x)

    def ours(kind: str, *, positive: bool = False) -> Maps:
        def maps(c: int) -> Tensor:
            found = layer_maps(net.tail, activations, torch.full((len(x),), c), method=kind)  # type: ignore[arg-type]
            return found.clamp(min=0) if positive else found

        return maps

    return {
        "grad-cam GradCAM": gap(ours("gradcam"), of_grad_cam(GradCAM, net, net.early, x)),
        "grad-cam HiResCAM": gap(ours("hirescam"), of_grad_cam(HiResCAM, net, net.early, x)),
        "grad-cam LayerCAM": gap(ours("layercam"), of_grad_cam(LayerCAM, net, net.early, x)),
        "torchcam LayerCAM": gap(
            ours("layercam", positive=True), of_torchcam(TorchLayerCAM, net, "early", x)
        ),
        "captum LayerGradCam": gap(ours("gradcam"), of_captum(net, net.early, x)),
    }


def gap(ours: Maps, theirs: Maps) -> float:
    """The largest difference over all classes, images and cells."""
    return max(float((ours(c) - theirs(c)).abs().max()) for c in range(K))
