"""Keras's own applications with random weights, saved in both formats and opened again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import Row

from deepsight.core.errors import DeepSightError
from deepsight.interpret.attribution.module_maps import module_attributors
from deepsight.model.foreign.foreign_model import foreign_model
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.keras_model import keras_on_torch
from deepsight.model.foreign.open import open_model
from deepsight.model.foreign.outputs import output_tensor, read_outputs

SIDE, K = 96, 4
NAMES = (
    "MobileNetV2", "VGG16", "ResNet50V2", "EfficientNetB0", "ConvNeXtTiny", "DenseNet121", "ResNet50",
    "MobileNet", "MobileNetV3Small", "EfficientNetV2B0", "InceptionV3", "Xception",
)  # fmt: skip


def rows(images: int) -> Iterator[Row]:
    """For each application and format: the largest difference from Keras's own answers, and the maps."""
    keras = keras_on_torch()
    few = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)
    for name in NAMES:
        keras.utils.set_random_seed(0)
        build = getattr(keras.applications, name)
        model = build(weights=None, input_shape=(SIDE, SIDE, 3), classes=K)
        with tempfile.TemporaryDirectory() as folder:
            for suffix in (".keras", ".h5"):
                file = Path(folder) / f"{name}{suffix}"
                model.save(file)
                yield from of_file(name, file, model, few)


def of_file(name: str, file: Path, model: Any, few: np.ndarray) -> Iterator[Row]:
    """The rows of one file."""
    title = f"{name} in {file.suffix}"
    try:
        network = open_model(f"keras:{file}").network
    except DeepSightError as error:
        yield Row("keras", title, "refused", str(error))
        return
    prepare = network.documented or InputFormat(SIDE, SIDE, layout="nhwc")
    about = "not documented" if network.documented is None else f"{prepare.scale} {prepare.channels}"
    yield Row("keras", title, "preprocessing by its name", about)
    inputs = prepare(few)
    with torch.no_grad():
        outputs = output_tensor(network.forward(inputs))
        own = torch.as_tensor(model(inputs.clone(), training=False))
    yield Row("keras", title, "largest difference", f"{float((outputs - own).abs().max()):.1e}", n=len(few))
    opened = foreign_model(network, prepare, read_outputs(outputs), np.arange(K), True)
    found = module_attributors(opened, few, np.arange(4))  # type: ignore[arg-type]
    layers = ", ".join(f"{m.method} at {m.layer.name} ({m.layer.side} cells a side)" for m in found)
    yield Row("keras", title, "maps", layers or "none: no layer serves", n=len(few))
