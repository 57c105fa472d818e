"""`timm:NAME`: a model of timm, with its published weights or with the user's own checkpoint."""

from pathlib import Path

import timm
import torch
from timm.data import resolve_model_data_config
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError, UsageError, first_line, near_names
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, network_of_module
from deepsight.model.foreign.state_dict import read_state_dict
from deepsight.model.traced_backbone import classifier_name


def open_timm(name: str, weights: Path | None = None, *, offline: bool = False) -> Network:
    """A classifier of timm.

    Args:
        name: timm's name, such as "resnet18.a1_in1k".
        weights: the user's own checkpoint; without it the published weights are downloaded.
        offline: do not use the network.

    Raises:
        UsageError: timm has no model of this name.
        DeepSightError: the weights cannot be loaded, or do not fit the architecture.
    """
    if not timm.is_model(name):
        raise UsageError(f"timm has no model '{name}': {near_names(name, timm.list_models())}")
    module = published(name, offline) if weights is None else with_checkpoint(name, weights)
    return network_of_module(module.eval(), f"timm:{name}", documented=documented_format(module))


def published(name: str, offline: bool) -> nn.Module:
    """The model with its published weights.

    Raises:
        DeepSightError: they cannot be downloaded.
    """
    if offline:
        raise DeepSightError(
            f"The weights of timm:{name} need the network, and --offline is set. Give --weights FILE."
        )
    try:
        module: nn.Module = timm.create_model(name, pretrained=True)
    except Exception as error:  # of the hub, of the network, or of timm where there are no weights
        raise DeepSightError(
            f"Expected the published weights of timm:{name}, but they could not be fetched: "
            f"{type(error).__name__}: {first_line(error, most=200)}. Give --weights FILE."
        ) from error
    return module


def with_checkpoint(name: str, weights: Path) -> nn.Module:
    """The model with as many outputs as the checkpoint has, and its tensors.

    Raises:
        DeepSightError: a tensor is missing, is left over, or has another shape.
    """
    state = read_state_dict(weights)
    with torch.device("meta"):
        bare = timm.create_model(name)
    head = classifier_name(bare)
    outputs = state.get(f"{head}.bias", state.get(f"{head}.weight"))
    if outputs is None:
        raise DeepSightError(
            f"Expected the classifier '{head}' of timm:{name} in {weights.name}, found none among "
            f"{len(state)} tensors, such as {', '.join(list(state)[:3])}."
        )
    module: nn.Module = timm.create_model(name, num_classes=len(outputs))
    problems = mismatches(module.state_dict(), state)
    if problems:
        raise DeepSightError(
            f"{weights.name} does not fit timm:{name}: {'; '.join(problems[:3])}"
            f"{f'; and {len(problems) - 3} more' if len(problems) > 3 else ''}."
        )
    module.load_state_dict(state, strict=False)
    return module


def mismatches(wanted: dict[str, Tensor], state: dict[str, Tensor]) -> list[str]:
    """Why a state dict cannot be loaded; the batch norms' counters may be missing."""
    missing = [n for n in wanted if n not in state and not n.endswith("num_batches_tracked")]
    shapes = [
        f"{n} is {tuple(state[n].shape)} where the model has {tuple(wanted[n].shape)}"
        for n in wanted
        if n in state and state[n].shape != wanted[n].shape
    ]
    return (
        [f"{n} is missing" for n in missing]
        + [f"{n} is not in the model" for n in state if n not in wanted]
        + shapes
    )


def documented_format(module: nn.Module) -> InputFormat:
    """The preprocessing in timm's configuration of the model."""
    config = resolve_model_data_config(module)
    channels, height, width = config["input_size"]
    share = float(config.get("crop_pct") or 1.0)
    return InputFormat(
        height=height, width=width, fit="crop", crop_share=min(share, 1.0),
        interpolation=config["interpolation"] if config["interpolation"] != "random" else "bilinear",
        mean=tuple(config["mean"]), std=tuple(config["std"]), channels="grey" if channels == 1 else "rgb",
    )  # fmt: skip
