"""A trained model as one file that runs without DeepSight: ONNX, or TorchScript."""

import copy
import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError
from deepsight.model.backbone import Classifier
from deepsight.model.layers.fuse_batchnorm import with_plain_convolutions
from deepsight.model.layers.pooling import pooled_maps
from deepsight.model.predict import Predictor
from deepsight.model.preprocess import Preprocessing

Format = Literal["onnx", "torchscript"]
Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
SUFFIXES: Mapping[Format, str] = {"onnx": ".onnx", "torchscript": ".pt"}
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ABOUT = "deepsight.json"  # the name of the description inside the file, by which it is found again


class Deployed(nn.Module):
    """The network with its normalisation: RGB in 0 to 255 (n, 3, r, r) to logits (n, k).

    It leaves out only the resizing, which depends on the size of the image. Convolutions are plain ones,
    because converters do not support weights that are padded at run time.
    """

    def __init__(self, classifier: Classifier, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.classifier = with_plain_convolutions(copy.deepcopy(classifier).cpu()).eval()
        mean, std = (
            torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std)
        )
        self.scale, self.shift = nn.Buffer(1 / (255 * std)), nn.Buffer(-mean / std)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, r, r) to (n, k)."""
        maps = self.classifier.forward_features(images * self.scale + self.shift)
        return cast(Tensor, self.classifier.head(pooled_maps(maps)))


def require_packages(format: Format) -> None:
    """Refuse ONNX if its packages are missing.

    Raises:
        DeepSightError: one of them is not installed.
    """
    lacking = [name for name in ONNX_PACKAGES if format == "onnx" and find_spec(name) is None]
    if lacking:
        raise DeepSightError(
            f"Expected the package {lacking[0]} for --format onnx, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[onnx]', or use --format torchscript."
        )


def description(predictor: Predictor, classes: tuple[str, ...]) -> dict[str, Any]:
    """What the user of the file must know; it is stored in the file itself."""
    side = predictor.preprocessing.resolution
    return {
        "input": {
            "name": "images", "dtype": "float32", "shape": ["n", 3, side, side],
            "meaning": "RGB, 0 to 255, not normalised; the image as it was fitted to a square, resized",
            "interpolation": predictor.preprocessing.interpolation,
            "antialias": predictor.preprocessing.antialias,
        },
        "output": {"name": "logits", "dtype": "float32", "shape": ["n", len(classes)]},
        "classes": list(classes),
    }  # fmt: skip


@torch.no_grad()  # with gradients, fused convolutions would take a path that cannot be exported
def write_exported(path: Path, predictor: Predictor, format: Format, about: Mapping[str, Any]) -> None:
    """Write the model to a file; the exported model takes any number of images at once."""
    model, side = (
        Deployed(predictor.classifier, predictor.preprocessing).requires_grad_(False).eval(),
        about["input"]["shape"][2],
    )
    example = torch.full((2, 3, side, side), 127.0)
    content = onnx_bytes if format == "onnx" else torchscript_bytes
    path.write_bytes(content(model, example, json.dumps(about, ensure_ascii=False)))


def torchscript_bytes(model: nn.Module, example: Tensor, about: str) -> bytes:
    """A traced module. PyTorch still supports TorchScript, but recommends torch.export."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript's deprecation
        traced = torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, file, _extra_files={ABOUT: about.encode()})
    return file.getvalue()


def onnx_bytes(model: nn.Module, example: Tensor, about: str) -> bytes:
    """An ONNX graph, converted by torch.export.

    Raises:
        DeepSightError: the conversion returned no program.
    """
    import onnx

    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's messages to its own developers
        program = torch.onnx.export(
            model, (example,), input_names=["images"], output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("n")},), dynamo=True, verbose=False,
        )  # fmt: skip
    if program is None:
        raise DeepSightError("Expected an ONNX program, but torch.onnx.export returned none.")
    proto = program.model_proto
    onnx.helper.set_model_props(proto, {ABOUT: about})
    return cast(bytes, proto.SerializeToString())


def open_exported(path: Path, format: Format) -> Answer:
    """The exported file as a function from images to logits, run by the format's own runtime."""
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda images: np.asarray(session.run(["logits"], {"images": images})[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript's deprecation
        module = torch.jit.load(path)  # type: ignore[no-untyped-call]

    def answer(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return np.asarray(module(torch.from_numpy(images)).numpy())

    return answer
