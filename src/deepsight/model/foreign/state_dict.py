"""The tensors of a checkpoint file, read without running code of the file."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError
from deepsight.core.files.damage import DAMAGE, words_of
from deepsight.model.pretrained import read_safetensors

# Averaged weights come first, as in timm: they are the ones that are evaluated and used.
WRAPPERS = (
    "state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict", "net", "module"
)  # fmt: skip
PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "backbone.")


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """The state dict in a `.safetensors`, `.pt` or `.pth` file, without the prefixes of training wrappers.

    Raises:
        DeepSightError: there is no such file, reading it needs code, or it holds no tensors by name.
    """
    if not file.is_file():
        raise DeepSightError(f"Expected a checkpoint in {file}, found no such file.")
    if file.suffix.lower() in (".onnx", ".keras", ".h5", ".hdf5"):
        scheme = "onnx" if file.suffix.lower() == ".onnx" else "keras"
        raise DeepSightError(f"{file.name} is a whole model and needs no --weights: --model {scheme}:{file}")
    content: Any = read_safetensors(file) if file.suffix == ".safetensors" else read_pickle(file)
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    state = (
        {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if isinstance(content, Mapping)
        else {}
    )
    if not state:
        raise DeepSightError(
            f"Expected tensors by name (a state dict) in {file.name}, received {type(content).__name__}. "
            "Save model.state_dict() instead."
        )
    return without_prefix(state)


def read_pickle(file: Path) -> Any:
    """The content of a file written by `torch.save`, if it is only tensors and plain values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript, which is refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DeepSightError(
            f"{file.name} holds more than tensors: reading it would run code from whoever wrote it, so it is "
            "refused. Save the tensors alone with the code that wrote it: "
            "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
        ) from error
    except DAMAGE as error:
        if "TorchScript" in str(error):  # torch's own message advises running its code
            raise DeepSightError(
                f"{file.name} is TorchScript and needs no --weights: --model torchscript:{file}"
            ) from error
        raise DeepSightError(f"Expected a checkpoint of torch.save in {file}: {words_of(error)}.") from error


def without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without a prefix shared by all names, such as that of DataParallel."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return without_prefix({name.removeprefix(prefix): value for name, value in state.items()})
    return state
