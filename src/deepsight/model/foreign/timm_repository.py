"""A repository of the hub in timm's layout, as `deepsight push` writes it: config.json and safetensors."""

import json
import os
from pathlib import Path
from typing import Any

import timm

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, network_of_module
from deepsight.model.foreign.timm_model import documented_format, with_checkpoint
from deepsight.model.pretrained import reachable

CONFIG, WEIGHTS, OURS = "config.json", "model.safetensors", "model.json"


def open_timm_repository(name: str, *, offline: bool = False) -> Network | None:
    """The classifier of a repository or folder in timm's layout; None for another layout.

    No code of the repository is run, and the architecture must be one of timm's own.

    Raises:
        DeepSightError: the configuration is damaged or names an unknown architecture, or the weights do not
            fit it.
    """
    path = fetched(name, CONFIG, offline)
    try:
        config = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeepSightError(f"Expected JSON in the {CONFIG} of hf:{name}: {error}.") from error
    if not isinstance(config, dict) or not {"architecture", "num_classes"} <= set(config):
        return None
    architecture = str(config["architecture"])
    weights = fetched(name, WEIGHTS, offline)
    if not timm.is_model(architecture) or weights is None:
        what = f"no {WEIGHTS}" if weights is None else f"the architecture '{architecture}', unknown to timm"
        raise DeepSightError(f"Expected a model of timm in hf:{name}, but it has {what}.")
    module = with_checkpoint(architecture, weights)
    known: Any = module.pretrained_cfg
    known.update(config.get("pretrained_cfg", {}))
    classes = config.get("label_names")
    return network_of_module(
        module.eval(), f"hf:{name}", documented=our_format(name, offline) or documented_format(module),
        classes=None if not classes else tuple(map(str, classes)),
    )  # fmt: skip


def our_format(name: str, offline: bool) -> InputFormat | None:
    """The preprocessing in the model.json of a pushed run; None if there is none."""
    path = fetched(name, OURS, offline)
    if path is None:
        return None
    try:
        prepared: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["preprocessing"]
        side = int(prepared["resolution"])
        return InputFormat(
            height=side, width=side, fit="stretch", interpolation=prepared["interpolation"],
            antialias=bool(prepared["antialias"]), mean=tuple(prepared["mean"]), std=tuple(prepared["std"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise DeepSightError(f"Expected the preprocessing in the {OURS} of hf:{name}: {error}") from error


def fetched(name: str, file: str, offline: bool) -> Path | None:
    """A file of a folder or of a repository of the hub; None if it is missing or cannot be downloaded."""
    if Path(name).is_dir():
        path = Path(name) / file
        return path if path.is_file() else None
    from huggingface_hub import constants, hf_hub_download

    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT)
    local = offline or not reachable(endpoint)  # the client would retry for most of a minute
    try:
        return Path(hf_hub_download(name, file, local_files_only=local, endpoint=endpoint))
    except Exception:  # the hub, the network or the name: transformers reports which when it tries next
        return None
