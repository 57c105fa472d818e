"""`torchscript:FILE`: a scripted or traced module, which carries its own graph and needs no Python code."""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError, first_line
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, place_of

ABOUT = "deepsight.json"  # the description that `deepsight export` puts into its files


def open_torchscript(file: Path) -> Network:
    """A TorchScript file. Its inside cannot be watched, so maps are made from outside.

    Raises:
        DeepSightError: there is no such file, or it is not TorchScript.
    """
    require_torchscript(file)
    extra = {ABOUT: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        try:
            module = torch.jit.load(file, map_location="cpu", _extra_files=extra)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise DeepSightError(f"Expected a TorchScript module in {file}: {first_line(error)}") from error
    device, dtype = place_of(module)

    def forward(inputs: Tensor) -> Any:
        return module(inputs.to(device=device, dtype=dtype))

    about = json.loads(extra[ABOUT]) if extra[ABOUT] else {}
    return Network(
        f"torchscript:{file.name}", forward, module.eval(), documented=described_format(about),
        classes=tuple(about["classes"]) if "classes" in about else None,
    )  # fmt: skip


def require_torchscript(file: Path) -> None:
    """Refuse what is not TorchScript, with the way in which it can be opened.

    Raises:
        DeepSightError: there is no such file, or it is another kind of file.
    """
    if not file.is_file():
        raise DeepSightError(f"Expected a TorchScript file in {file}, found no such file.")
    if not zipfile.is_zipfile(file):
        raise DeepSightError(
            f"Expected a TorchScript file, but {file.name} is not one: it is no zip archive."
        )
    names = zipfile.ZipFile(file).namelist()
    if not any("/code/" in name for name in names):
        raise DeepSightError(
            f"{file.name} is a checkpoint of torch.save, not TorchScript. Use timm:NAME with --weights for "
            "the tensors of a timm model, or python:package.module:function for a model of your own."
        )


def described_format(about: dict[str, Any]) -> InputFormat | None:
    """The preprocessing in the description of a file that `deepsight export` wrote."""
    if "input" not in about:
        return None
    entry = about["input"]
    return InputFormat(
        height=entry["shape"][2], width=entry["shape"][3], interpolation=entry["interpolation"],
        antialias=entry["antialias"], scale="0..255",
    )  # fmt: skip
