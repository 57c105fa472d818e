"""`hf:NAME_OR_FOLDER`: an image classifier of transformers, with its own image processor."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepsight.core.errors import DeepSightError, first_line
from deepsight.images.resize import Method
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, network_of_module
from deepsight.model.foreign.timm_repository import open_timm_repository

RESAMPLE: dict[int, Method] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def open_huggingface(name: str, *, offline: bool = False) -> Network:
    """A model for image classification from a folder or the hub; code in the repository is never run.

    Raises:
        DeepSightError: transformers is not installed, or the model cannot be loaded or does not classify
            images.
    """
    network = open_timm_repository(name, offline=offline)
    if network is not None:
        return network
    try:
        from transformers import AutoModelForImageClassification
    except ImportError as error:
        raise DeepSightError(
            "Expected the package transformers for hf:, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[hf]'"
        ) from error
    local = offline or Path(name).is_dir()
    try:
        with without_progress_bars():
            module = AutoModelForImageClassification.from_pretrained(
                name, local_files_only=local, trust_remote_code=False
            )
    except Exception as error:  # of the hub, the configuration or the weights
        raise DeepSightError(reason(name, error)) from error
    names = module.config.id2label or {}
    classes = tuple(str(names[i]) for i in sorted(names, key=int))
    return network_of_module(
        module.eval(), f"hf:{name}", documented=processor_format(name, local, module.config),
        classes=None if all(c.startswith("LABEL_") for c in classes) else classes,
    )  # fmt: skip


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing its progress; afterwards it does so again if it did before."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def reason(name: str, error: Exception) -> str:
    """Why a model could not be opened, and what to do."""
    text = f"{type(error).__name__} {error}"
    if "gated" in text.lower() or "401" in text or "403" in text:
        return (
            f"hf:{name} is gated: its owner approves who may use it. Accept the terms on its page and log in "
            "with `hf auth login`, or download it and pass the folder."
        )
    if "trust_remote_code" in text:
        return (
            f"hf:{name} needs code from its repository, which is never run. "
            "Use python:package.module:function."
        )
    what = f"{type(error).__name__}: {first_line(error)}"
    return f"Expected an image classifier of transformers in '{name}': {what.rstrip('.')}."


def processor_format(name: str, local: bool, config: Any) -> InputFormat | None:
    """The image processor's configuration as a format; None if there is no processor.

    Only the configuration is used, so that the same code prepares the images of all models.
    """
    from transformers import AutoImageProcessor

    try:
        processor = AutoImageProcessor.from_pretrained(name, local_files_only=local, trust_remote_code=False)
    except Exception:  # the model can be used without it: the preprocessing audit finds the input
        return None
    about = processor.to_dict()
    resized, cropped = processor_size(about.get("size")), processor_size(about.get("crop_size"))
    crops = bool(about.get("do_center_crop")) and cropped is not None
    final = cropped if crops else resized
    if final is None:
        side = getattr(config, "image_size", 224)
        final = (side, side) if isinstance(side, int) else tuple(side)
    share = min(1.0, min(final) / min(resized)) if crops and resized else float(about.get("crop_pct") or 1.0)
    return InputFormat(
        height=final[0], width=final[1], fit="crop" if crops or share < 1 else "stretch", crop_share=share,
        interpolation=RESAMPLE.get(about.get("resample", 2), "bilinear"), **scaling(about),
    )  # fmt: skip


def processor_size(size: Any) -> tuple[int, int] | None:
    """Height and width of a processor's size, in any of the forms that processors use."""
    if isinstance(size, int):
        return size, size
    if not isinstance(size, dict):
        return None
    if size.get("shortest_edge"):
        return int(size["shortest_edge"]), int(size["shortest_edge"])
    return (int(size["height"]), int(size["width"])) if size.get("height") and size.get("width") else None


def scaling(about: dict[str, Any]) -> dict[str, Any]:
    """Scale, mean and deviation of a processor's configuration."""
    factor = float(about.get("rescale_factor") or 1 / 255) if about.get("do_rescale", True) else 1.0
    scaled: dict[str, Any] = {"scale": "0..1" if abs(factor * 255 - 1) < 1e-3 else "0..255"}
    if abs(factor * 127.5 - 1) < 1e-3:
        scaled["scale"] = "-1..1"
    if about.get("do_normalize", True) and about.get("image_mean"):
        scaled |= {"mean": tuple(about["image_mean"]), "std": tuple(about["image_std"])}
    return scaled
