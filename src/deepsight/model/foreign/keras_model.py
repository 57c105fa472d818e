"""`keras:FILE` and Keras models in Python, on Keras's torch backend, gradients included."""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError, first_line
from deepsight.core.files.damage import damage_as
from deepsight.core.open_model import Visit
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, device_and_type, has_axes
from deepsight.model.preprocess import IMAGENET_MEAN, IMAGENET_STD

CAFFE = {"channels": "bgr", "scale": "0..255", "mean": (103.939, 116.779, 123.68)}
PLUS_MINUS: dict[str, Any] = {"scale": "-1..1"}
TORCH = {"scale": "0..1", "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
RAW: dict[str, Any] = {"scale": "0..255"}
# What `preprocess_input` of keras.applications does, by the start of the model's name; the longest counts.
APPLICATIONS: Mapping[str, Mapping[str, Any]] = {
    "vgg": CAFFE, "resnet": CAFFE, "resnet50v2": PLUS_MINUS, "resnet101v2": PLUS_MINUS,
    "resnet152v2": PLUS_MINUS,
    "mobilenet": PLUS_MINUS, "mobilenetv3": RAW, "inception": PLUS_MINUS, "xception": PLUS_MINUS,
    "nasnet": PLUS_MINUS, "densenet": TORCH, "efficientnet": RAW, "convnext": RAW, "regnet": RAW,
}  # fmt: skip


def open_keras(file: Path) -> Network:
    """A model in a `.keras` or `.h5` file; one that brings code of its own is refused.

    Raises:
        DeepSightError: there is no such file, Keras runs on another backend, or the file cannot be loaded.
    """
    if not file.is_file():
        raise DeepSightError(f"Expected a Keras file in {file}, found no such file.")
    refuse_code(stored_config(file), file)
    keras = keras_on_torch()
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:
        raise DeepSightError(
            f"Expected a Keras model in {file.name}, but Keras cannot load it: {first_line(error)}"
        ) from error
    return replace(network_of_keras(model), name=f"keras:{file.name}")


def keras_on_torch() -> Any:
    """The package keras, on its torch backend.

    Raises:
        DeepSightError: it was imported earlier with another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    if keras.backend.backend() != "torch":
        raise DeepSightError(
            f"Expected Keras on its torch backend, but it runs on {keras.backend.backend()}. Set the "
            "environment variable KERAS_BACKEND=torch before Python starts."
        )
    return keras


def stored_config(file: Path) -> Any:
    """The configuration in a Keras file.

    Raises:
        DeepSightError: the file is neither `.keras` nor HDF5 with a model in it.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if "config.json" in archive.namelist():
                with damage_as(lambda why: DeepSightError(f"{file.name} is damaged: {why}.")):
                    return json.loads(archive.read("config.json"))
        raise DeepSightError(f"Expected a .keras file, but {file.name} is another zip archive.")
    import h5py

    try:
        with h5py.File(file, "r") as content:
            stored = content.attrs.get("model_config")
    except OSError as error:
        raise DeepSightError(f"Expected a .keras or .h5 file in {file.name}: {first_line(error)}") from error
    if stored is None:
        raise DeepSightError(
            f"{file.name} holds weights without a model. Save the whole model: model.save('m.keras')."
        )
    return json.loads(stored)


def refuse_code(config: Any, file: Path) -> None:
    """Refuse a configuration that names code outside Keras, or carries some.

    Raises:
        DeepSightError: there is a Lambda layer or a custom object.
    """
    for entry in dictionaries(config):
        name = str(entry.get("class_name", ""))
        if name in ("Lambda", "__lambda__"):
            raise DeepSightError(
                f"{file.name} has a Lambda layer, which is code of whoever wrote the file, so it is refused. "
                "Load it in your own code and use python:package.module:function."
            )
        module = entry.get("module")
        foreign = isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins")
        registered = str(entry.get("registered_name") or "")
        if name and (foreign or ">" in registered or (registered and module is None)):
            raise DeepSightError(
                f"{file.name} has the custom object '{name}', whose code is not in the file. Load it in your "
                "own code and use python:package.module:function."
            )


def dictionaries(content: Any) -> Iterator[Mapping[str, Any]]:
    """All dictionaries in nested lists and dictionaries."""
    if isinstance(content, dict):
        yield content
    for value in (
        content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    ):
        yield from dictionaries(value)


def network_of_keras(model: Any) -> Network:
    """A Keras model on the torch backend as a network.

    Raises:
        DeepSightError: it does not take one batch of images.
    """
    if keras_on_torch() and not isinstance(model, torch.nn.Module):
        raise DeepSightError(
            "Expected a Keras model on the torch backend. Set KERAS_BACKEND=torch before Python starts."
        )
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        never = " It was saved before it was built: call it on an image first." if shape is None else ""
        raise DeepSightError(
            f"Expected a Keras model of one image input (b, h, w, c), received {shape}.{never}"
        )
    last = shape[3] in (1, 3) or shape[1] not in (1, 3)
    sides = shape[1:3] if last else shape[2:]
    size = (int(sides[0]), int(sides[1])) if all(sides) else None
    device, dtype = device_and_type(model)

    def forward(inputs: Tensor) -> Any:
        return model(inputs.to(device=device, dtype=dtype), training=False)

    layout = "nhwc" if last else "nchw"
    return Network(
        f"keras:{model.name}", forward, model, lambda visit: watch_layers(model, visit),
        lambda: {name: [v.value for v in layer.trainable_variables] for name, layer in named_layers(model)},
        documented=keras_format(model, size, layout, int(shape[3] if last else shape[1])), size=size,
        layout=layout,
    )  # fmt: skip


@contextmanager
def watch_layers(model: Any, visit: Visit) -> Iterator[None]:
    """Report the output of each layer. Keras bypasses torch's hooks, so each layer's `call` is wrapped."""

    def wrapped(name: str, call: Any) -> Any:
        def observed(*inputs: Any, **options: Any) -> Any:
            output = call(*inputs, **options)
            other = visit(name, output) if has_axes(output) else None
            return output if other is None else other

        return observed

    changed = []
    try:
        for name, layer in named_layers(model):
            object.__setattr__(layer, "call", wrapped(name, layer.call))
            changed.append(layer)
        yield
    finally:
        for layer in changed:
            del layer.__dict__["call"]


def named_layers(model: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """The layers of a model that contain no other layers, by their path."""
    found = []
    for layer in getattr(model, "layers", []):
        name = f"{prefix}{layer.name}"
        inner = named_layers(layer, f"{name}/")
        found += inner or [(name, layer)]
    return found


def keras_format(model: Any, size: tuple[int, int] | None, layout: str, channels: int) -> InputFormat | None:
    """The preprocessing, inferred from the model's first layers or from its name in keras.applications."""
    layers = named_layers(model)
    inside = any(type(layer).__name__ in ("Rescaling", "Normalization") for _, layer in layers[:6])
    names = [str(model.name), *(str(layer.name) for layer in getattr(model, "layers", []))]
    known = RAW if inside else next(filter(None, map(application_scaling, names)), None)
    if known is None or size is None:
        return None
    grey: dict[str, Any] = {"channels": "grey", "mean": (0.0,), "std": (1.0,)} if channels == 1 else {}
    return InputFormat(height=size[0], width=size[1], layout=layout, **{**known, **grey})  # type: ignore[arg-type]


def application_scaling(name: str) -> Mapping[str, Any] | None:
    """The scaling that keras.applications uses for a model of this name, or None."""
    plain = name.lower().replace("_", "").replace("-", "")
    fitting = [start for start in APPLICATIONS if plain.startswith(start)]
    return APPLICATIONS[max(fitting, key=len)] if fitting else None
