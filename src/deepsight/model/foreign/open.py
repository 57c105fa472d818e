"""Opens what `--model` names: `timm:`, `hf:`, `torchscript:`, `onnx:`, `keras:` and `python:`."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from deepsight.core.errors import UsageError, near_names
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.other_kinds import other_kind

SCHEMES = ("timm", "hf", "torchscript", "onnx", "keras", "python", "run")
SUFFIXES = {
    ".onnx": "onnx", ".keras": "keras", ".h5": "keras", ".hdf5": "keras", ".torchscript": "torchscript",
    ".ts": "torchscript",
}  # fmt: skip


class Opened(NamedTuple):
    """A network, and the preprocessing that came with it in code, or None."""

    network: Network
    preprocess: Callable[..., Tensor] | InputFormat | None = None


def split_model_name(what: str) -> tuple[str, str]:
    """The scheme and the rest of `--model`'s value; for a bare path the suffix decides.

    Raises:
        UsageError: the scheme is unknown, or nothing follows it.
    """
    scheme, colon, rest = what.partition(":")
    if colon and scheme in SCHEMES and rest:
        return scheme, rest
    if Path(what).suffix.lower() in SUFFIXES:
        return SUFFIXES[Path(what).suffix.lower()], what
    if Path(what).suffix.lower() in (".pt", ".pth", ".safetensors", ".ckpt", ".bin"):
        raise UsageError(
            f"{what} may hold tensors alone, which need an architecture: --model timm:NAME --weights {what}. "
            f"If it is TorchScript: --model torchscript:{what}."
        )
    if colon and scheme in SCHEMES:
        raise UsageError(f"Expected a name after '{scheme}:', received none.")
    if known := other_kind(what):
        raise UsageError(known)
    if not colon:
        raise UsageError(
            f"Expected a prefix that says what kind of model '{what}' is. {possible_prefix(what)}"
        )
    raise UsageError(
        f"Unknown kind of model in '{what}': {near_names(scheme, [f'{name}:' for name in SCHEMES])}"
    )


def possible_prefix(what: str) -> str:
    """What a name without a prefix may be."""
    if "/" in what or Path(what).exists():
        return f"For a repository of the Hugging Face hub: --model hf:{what}"
    return f"For a model of timm: --model timm:{what}. Others: {', '.join(f'{name}:' for name in SCHEMES)}"


def open_model(what: str, weights: Path | None = None, *, offline: bool = False) -> Opened:
    """Open a model. Only `python:` runs code from outside DeepSight and its libraries.

    Args:
        what: scheme and name, such as "timm:resnet18.a1_in1k" or "onnx:model.onnx".
        weights: the user's own checkpoint for `timm:`.
        offline: do not use the network.

    Raises:
        UsageError: the scheme or the name is invalid.
        DeepSightError: the model cannot be opened; the message says why and what to do.
    """
    scheme, rest = split_model_name(what)
    if weights is not None and scheme != "timm":
        raise UsageError(f"Expected --weights with timm: only, received it with {scheme}:.")
    if scheme == "timm":
        from deepsight.model.foreign.timm_model import open_timm

        return Opened(open_timm(rest, weights, offline=offline))
    if scheme == "hf":
        from deepsight.model.foreign.huggingface_model import open_huggingface

        return Opened(open_huggingface(rest, offline=offline))
    if scheme == "python":
        from deepsight.model.foreign.python_model import open_python

        return Opened(*open_python(rest))
    return Opened(open_file(scheme, Path(rest)))


def open_file(scheme: str, file: Path) -> Network:
    """A model from a file that contains its own graph.

    Raises:
        UsageError: the scheme does not name a kind of file, or there is another kind.
    """
    if known := other_kind(str(file)):
        raise UsageError(known)
    right = SUFFIXES.get(file.suffix.lower(), scheme)
    if right != scheme:
        raise UsageError(f"By its suffix, {file.name} is not for {scheme}: but for --model {right}:{file}")
    if scheme == "torchscript":
        from deepsight.model.foreign.torchscript_model import open_torchscript

        return open_torchscript(file)
    if scheme == "onnx":
        from deepsight.model.foreign.onnx_model import open_onnx

        return open_onnx(file)
    if scheme == "keras":
        from deepsight.model.foreign.keras_model import open_keras

        return open_keras(file)
    raise UsageError(f"Expected the name of a model, received '{scheme}:{file}'.")
