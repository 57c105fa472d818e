"""`onnx:FILE`: converted to torch if the outputs agree, else run by ONNX Runtime."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError, first_line
from deepsight.model.export import ABOUT
from deepsight.model.foreign.network import Network, network_of_module
from deepsight.model.foreign.outputs import output_tensor
from deepsight.model.foreign.torchscript_model import read_description

TYPES: dict[str, Any] = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}  # fmt: skip
AGREEMENT = 1e-3  # largest difference of converted outputs, relative to the largest output or to 1
KNOWN_OPSET = 17  # the ONNX operator set that onnx2torch supports almost completely
FREE = 224  # side in pixels of a trial input where the file leaves the size open


def open_onnx(file: Path) -> Network:
    """An ONNX classifier with one image input.

    Raises:
        DeepSightError: the packages are not installed, the file cannot be run, or its input is no image.
    """
    session = start_session(file)
    if not session.get_inputs() or not session.get_outputs():
        raise DeepSightError(f"Expected an ONNX model with an input and an output, {file.name} lacks one.")
    entry = session.get_inputs()[0]
    shape, kind = list(entry.shape), entry.type
    if len(session.get_inputs()) != 1 or len(shape) != 4 or kind not in TYPES:
        raise DeepSightError(
            f"Expected one image input (b, c, h, w) or (b, h, w, c) in {file.name}, received "
            f"{', '.join(f'{i.name} {i.type} {i.shape}' for i in session.get_inputs())}."
        )
    layout = layout_of(shape)
    sides = shape[2:] if layout == "nchw" else shape[1:3]
    size = (int(sides[0]), int(sides[1])) if all(isinstance(s, int) for s in sides) else None
    about = read_description(session.get_modelmeta().custom_metadata_map.get(ABOUT, ""), file)
    known: dict[str, Any] = {
        "documented": about.documented, "size": size, "layout": layout, "classes": about.classes,
        "batch": shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None,
    }  # fmt: skip
    ask = runner(session, TYPES[kind])
    channels = shape[1] if layout == "nchw" else shape[3]
    trial = trial_input(known["batch"] or 2, channels if isinstance(channels, int) else 3, size, layout)
    converted = converted_module(file, ask, trial)
    if not isinstance(converted, str):
        return network_of_module(converted, f"onnx:{file.name}", **known)
    return Network(
        f"onnx:{file.name}",
        ask,
        notice=f"It runs in ONNX Runtime, without gradients: {converted}.",
        **known,
    )


def start_session(file: Path) -> Any:
    """ONNX Runtime's session for a file.

    Raises:
        DeepSightError: the package is not installed, or the file cannot be run.
    """
    if find_spec("onnxruntime") is None:
        raise DeepSightError(
            "Expected the package onnxruntime for onnx:, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[onnx]'"
        )
    if not file.is_file():
        raise DeepSightError(f"Expected an ONNX file in {file}, found no such file.")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors are raised; warnings do not concern the user
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        text = str(error)
        hint = (
            "Its weights are in another file, which must lie beside it."
            if "external" in text.lower() or ".data" in text
            else "The file may be damaged or need operators that ONNX Runtime lacks."
        )
        raise DeepSightError(
            f"Expected an ONNX model in {file.name}. {hint} ({first_line(error)})"
        ) from error


def layout_of(shape: list[Any]) -> str:
    """Whether channels come first or last, by the position of a size of 1 or 3."""
    return "nhwc" if shape[3] in (1, 3) and shape[1] not in (1, 3) else "nchw"


def trial_input(batch: int, channels: int, size: tuple[int, int] | None, layout: str) -> Tensor:
    """A random input of the right shape."""
    h, w = size or (FREE, FREE)
    images = torch.rand(batch, channels, h, w, generator=torch.Generator().manual_seed(0))
    return images.permute(0, 2, 3, 1).contiguous() if layout == "nhwc" else images


def runner(session: Any, kind: Any) -> Callable[[Tensor], Any]:
    """A session as a function that returns its output, or a list where it has several."""
    name = session.get_inputs()[0].name

    def ask(inputs: Tensor) -> Any:
        array = inputs.detach().cpu().numpy()
        array = np.rint(array).clip(0, 255).astype(kind) if kind is np.uint8 else array.astype(kind)
        returned = session.run(None, {name: array})
        found = [torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in returned]
        return found[0] if len(found) == 1 else found

    return ask


def in_known_opset(file: Path) -> Any:
    """The model with its reductions and reshapes rewritten for opset 17."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(file)
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type.startswith("Reduce") and len(node.input) == 2 and node.input[1] in constants:
            node.attribute.append(helper.make_attribute("axes", constants[node.input[1]].tolist()))
            del node.input[1]
        kept = [a for a in node.attribute if a.name not in ("allowzero", "noop_with_empty_axes")]
        del node.attribute[:]
        node.attribute.extend(kept)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = min(entry.version, KNOWN_OPSET)
    return model


def converted_module(file: Path, ask: Callable[[Tensor], Any], trial: Tensor) -> nn.Module | str:
    """The model as a torch module whose outputs are ONNX Runtime's, or the reason why there is none."""
    if find_spec("onnx2torch") is None:
        return "the package onnx2torch is not installed"
    import onnx2torch

    warnings.filterwarnings("ignore", module="onnx2torch")  # to its own developers, also when it runs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = onnx2torch.convert(in_known_opset(file)).eval()
            with torch.no_grad():
                given = module(trial)
        except Exception as error:  # mostly an operator that it does not know
            return f"it cannot be converted to torch ({first_line(error)})"
    try:
        wanted, given = output_tensor(ask(trial)), output_tensor(given)
    except Exception as error:  # no class scores, or an input that the graph cannot take
        return f"its conversion to torch cannot be compared with it ({first_line(error)})"
    away = float((given - wanted).abs().max()) if given.shape == wanted.shape else np.inf
    if not away <= AGREEMENT * max(1.0, float(wanted.abs().max())):
        return f"its conversion to torch gives other answers (by up to {away:.2g})"
    found: nn.Module = module
    return found
