"""Checks an accelerator's results before it is used.

CUDA or Apple's MPS is used if its logits and gradients on 64 images agree with the CPU's. Otherwise the CPU
is used, and a warning says why.
"""

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepsight.core.errors import first_line

IMAGES, SIDE, CLASSES = 64, 64, 10
ARCHITECTURE = "tf_efficientnet_lite0"  # 1 × 1, depthwise and strided convolutions; weights are random
LOGITS = 1e-2  # of the largest logit; TensorFloat-32 keeps ten bits of a product
GRADIENT = 5e-2  # of the gradient's norm


@dataclass(frozen=True)
class StepAnswer:
    """A device's results of one training step.

    Attributes:
        logits: float32 (64, 10).
        gradient: float32 (p,), of all parameters in a row.
    """

    logits: Tensor
    gradient: Tensor


Step = Callable[[nn.Module, Tensor, Tensor, str], StepAnswer]


def step_answer(network: nn.Module, images: Tensor, labels: Tensor, device: str) -> StepAnswer:
    """Logits and gradient of a copy of the network on a device, brought back to the processor."""
    on_device = copy.deepcopy(network).to(device)
    logits = on_device(images.to(device))
    F.cross_entropy(logits, labels.to(device)).backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad.flatten() for p in on_device.parameters() if p.grad is not None]
    return StepAnswer(logits.detach().float().cpu(), torch.cat(gradients).float().cpu())


def reason_to_distrust(device: str, step: Step = step_answer) -> str:
    """Why a device cannot be trusted; empty if its step agrees with the CPU's.

    Args:
        device: its name in torch, such as "cuda" or "mps".
        step: carries out a training step on a device.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model(ARCHITECTURE, num_classes=CLASSES).eval()
        images, labels = torch.randn(IMAGES, 3, SIDE, SIDE), torch.arange(IMAGES) % CLASSES
    expected = step_answer(network, images, labels, "cpu")
    try:
        found = step(network, images, labels, device)
    except RuntimeError as error:
        return f"{device} failed at a test step: {first_line(error)}"
    logits = float((found.logits - expected.logits).abs().max() / expected.logits.abs().max())
    gradient = float((found.gradient - expected.gradient).norm() / expected.gradient.norm())
    if logits <= LOGITS and gradient <= GRADIENT:  # false for NaN too
        return ""
    return (
        f"On {IMAGES} images, {device}'s logits differ from the processor's by {logits:.1%} of the largest, "
        f"and its gradient by {gradient:.1%} of its norm."
    )


def accelerator_here() -> str:
    """The accelerator that torch finds: "cuda", "mps", or "cpu" if there is none."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def trusted_accelerator(device: str | None = None, step: Step = step_answer) -> str:
    """The accelerator of this machine if it agrees with the CPU, else "cpu"."""
    name = accelerator_here() if device is None else device
    if name == "cpu":
        return name
    reason = reason_to_distrust(name, step)
    if reason:
        logging.getLogger(__name__).warning("%s The processor is used instead.", reason)
    return "cpu" if reason else name
