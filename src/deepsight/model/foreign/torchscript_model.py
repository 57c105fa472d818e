"""`torchscript:FILE`: a scripted or traced module, which carries its own graph and needs no Python code."""

import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError, first_line
from deepsight.core.files.damage import damage_as
from deepsight.model.export import ABOUT
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, device_and_type


def open_torchscript(file: Path) -> Network:
    """A TorchScript file. Its layers cannot be watched, so maps come from its inputs and outputs alone.

    Raises:
        DeepSightError: there is no such file, or it is not TorchScript.
    """
    require_torchscript(file)
    extra = {ABOUT: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript's deprecation
        try:
            module = torch.jit.load(file, map_location="cpu", _extra_files=extra)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise DeepSightError(f"Expected a TorchScript module in {file}: {first_line(error)}") from error
    device, dtype = device_and_type(module)

    def forward(inputs: Tensor) -> Any:
        return module(inputs.to(device=device, dtype=dtype))

    about = read_description(extra[ABOUT], file)
    return Network(
        f"torchscript:{file.name}", forward, module.eval(), documented=about.documented, classes=about.classes
    )


def require_torchscript(file: Path) -> None:
    """Refuse a file that is not TorchScript, with a hint how it can be opened.

    Raises:
        DeepSightError: there is no such file, or it is another kind of file.
    """
    if not file.is_file():
        raise DeepSightError(f"Expected a TorchScript file in {file}, found no such file.")
    if not zipfile.is_zipfile(file):
        raise DeepSightError(
            f"Expected a TorchScript file, but {file.name} is not one: it is no zip archive."
        )
    with (
        damage_as(
            lambda why: DeepSightError(f"Expected a TorchScript file, but {file.name} is damaged: {why}.")
        ),
        zipfile.ZipFile(file) as archive,
    ):
        names = archive.namelist()
    if not any("/code/" in name for name in names):
        raise DeepSightError(
            f"{file.name} is a checkpoint of torch.save, not TorchScript. Use timm:NAME with --weights for "
            "the tensors of a timm model, or python:package.module:function for a model of your own."
        )


@dataclass(frozen=True)
class Description:
    """What a file written by `deepsight export` states about its model; None for other files.

    Attributes:
        documented: the preprocessing.
        classes: names of the outputs in their order.
    """

    documented: InputFormat | None
    classes: tuple[str, ...] | None


def read_description(text: str, file: Path) -> Description:
    """The description inside an exported file, from its JSON; empty text for a file without one.

    Raises:
        DeepSightError: the description is damaged.
    """
    with damage_as(
        lambda why: DeepSightError(f"Expected the description of an exported model in {file.name}: {why}.")
    ):
        about: dict[str, Any] = json.loads(text or "{}")
        classes = tuple(map(str, about["classes"])) if "classes" in about else None
        if "input" not in about:
            return Description(None, classes)
        entry = about["input"]
        documented = InputFormat(
            height=entry["shape"][2], width=entry["shape"][3], interpolation=entry["interpolation"],
            antialias=entry["antialias"], scale="0..255",
        )  # fmt: skip
        return Description(documented, classes)
