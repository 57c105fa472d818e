"""The forward engines side by side, and the bars that they are held to."""

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from layers import step_by_layer
from torch import Tensor
from turns import Row, in_turns, ratio_row, value_row

from deepsight.core.dataset import Dataset
from deepsight.core.engine_settings import EngineSettings
from deepsight.core.recipe import Precision
from deepsight.model.backbone import Classifier
from deepsight.model.cached_views import frozen_maps
from deepsight.model.engine import ForwardEngine, settings_of_long_passes, using_settings
from deepsight.model.engine.graphs import FeaturesAndMaps, StageMapsGraph
from deepsight.model.engine.openvino_backend import OpenVinoBackend, has_bfloat16
from deepsight.model.hardware.allocator import freed_memory_kept
from deepsight.model.hardware.precision import IMAGES, faster_precision, gradient_step
from deepsight.model.layers import depthwise
from deepsight.model.layers.fuse_batchnorm import FusedConv2d
from deepsight.model.predict import Predictor
from deepsight.model.preprocess import Preprocessing

TORCH = EngineSettings("torch")
Answer = Callable[[], Tensor]


def onnxruntime_answer(network: Classifier, x: Tensor) -> Answer:
    """The network's logits by onnxruntime, on as many threads as torch has."""
    import onnxruntime

    file, options = io.BytesIO(), onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with torch.no_grad():
        torch.onnx.export(network, (x,), file, dynamo=False, input_names=["x"], output_names=["y"])
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    given = x.contiguous().numpy()
    return lambda: torch.from_numpy(session.run(None, {"x": given})[0])


def openvino_answer(network: Classifier, x: Tensor, **options: object) -> Answer:
    """The network's logits by OpenVINO; as many batches at once as there are streams."""
    backend = OpenVinoBackend(FeaturesAndMaps(network.stages), x, **options)  # type: ignore[arg-type]
    batches = [x] * int(options.get("streams", 1))  # type: ignore[call-overload]

    def answer() -> Tensor:
        features = [features for features, _ in backend.run(batches)]
        with torch.inference_mode():
            return network.head(features[0])  # type: ignore[no-any-return]

    return answer


def answers(plain: Classifier, fused: Classifier, x: Tensor) -> dict[str, tuple[Answer, int]]:
    """Each engine's way to the logits of a batch, and how many batches a call answers."""
    found: dict[str, tuple[Answer, int]] = {
        "PyTorch, plain": (partial(plain, x), 1),
        "PyTorch, fused": (partial(fused, x), 1),
    }
    formats = {"float32": "32-true"} | ({"bfloat16": "bf16-mixed"} if has_bfloat16() else {})
    for (name, precision), streams in product(formats.items(), sorted({1, torch.get_num_threads()})):
        engine = f"OpenVINO, {name}" + (f", {streams} streams" if streams > 1 else "")
        found[engine] = openvino_answer(fused, x, precision=precision, streams=streams), streams
    found["onnxruntime"] = onnxruntime_answer(plain, x), 1
    return found


def engine_table(
    networks: Mapping[str, tuple[Classifier, Classifier]], sizes: Mapping[int, int], rounds: int
) -> Iterator[Row]:
    """Images per second of each engine, and the largest difference of a logit from plain PyTorch's."""
    for name, (plain, fused) in networks.items():
        for side, n in sizes.items():
            x = torch.randn(n, 3, side, side).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                ways = answers(plain, fused, x)
                seconds = in_turns(*(answer for answer, _ in ways.values()), rounds=rounds)
                expected = plain(x)
                largest = float(expected.abs().max())
                for column, (engine, (answer, batches)) in enumerate(ways.items()):
                    off = float((answer() - expected).abs().max())
                    measure = f"images per second; largest difference {off:.1g} of {largest:.2g}"
                    setting = f"{name}, {side} px, {n} images, {engine}"
                    yield value_row("engines", setting, measure, batches * n / seconds[:, column], n * rounds)


def start_up(rounds: int) -> Iterator[Row]:
    """Seconds that a fresh process takes to import the package and to print its help."""
    commands = {
        "import deepsight": ["-c", "import deepsight"],
        "deepsight --help": ["-m", "deepsight", "--help"],
    }
    for name, arguments in commands.items():
        run = partial(subprocess.run, [sys.executable, *arguments], capture_output=True, check=True)
        seconds = in_turns(run, rounds=rounds)[:, 0]
        yield value_row("start", name, "seconds, bar 0.3", seconds, rounds)


def first_pass(network: Classifier) -> Iterator[Row]:
    """Seconds to convert, compile and first answer with OpenVINO, after its import."""
    x = torch.zeros(64, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    openvino_answer(network, x)  # the import and the runtime's own start
    began = time.perf_counter()
    openvino_answer(network, x)()
    yield value_row(
        "start", "OpenVINO, compile and first pass", "seconds", np.array([time.perf_counter() - began]), 1
    )


def bars(
    network: Classifier, train: Dataset, sides: tuple[int, ...], images: int, rounds: int
) -> Iterator[Row]:
    """Ratios to the version before: the frozen stages to the cache, prediction, and a training step."""
    half = (0.5, 0.5, 0.5)
    pixels = train.pixels(slice(0, images))
    for side in sides:
        preprocessing = Preprocessing(side, "bicubic", True, half, half)
        graph, precision = StageMapsGraph(network.frozen_stages), precision_of_steps(network, side)
        ways = settings_of_long_passes(torch.get_num_threads()), TORCH
        cached = [cache_pass(graph, settings, pixels, preprocessing) for settings in ways]
        yield ratio_row(
            "bars", f"{side} px", "frozen stages to cache, bar 2.2", in_turns(*cached, rounds=rounds), images
        )
        asked = [prediction_pass(network, settings, pixels, preprocessing) for settings in ways]
        yield ratio_row(
            "bars", f"{side} px", "prediction in float32, bar 1.25", in_turns(*asked, rounds=rounds), images
        )
        n = min(images, 128)
        x = preprocessing(pixels[:n])
        with torch.no_grad():
            maps = network.frozen_stages(x).clone()
        with freed_memory_kept():
            seconds = in_turns(*steps(network, maps, precision), rounds=rounds)
        yield ratio_row("bars", f"{side} px", f"training step in {precision}, bar 1.3", seconds, n)
        for kind in (torch.float32, torch.bfloat16)[: 1 if precision == "32-true" else 2]:
            setting = f"{side} px, {str(kind).removeprefix('torch.')}"
            with freed_memory_kept():
                yield from step_by_layer(network.trainable_stages, maps, setting, rounds, kind)


def precision_of_steps(network: Classifier, side: int) -> Precision:
    """The precision in which a study on this machine trains."""
    x = torch.randn(IMAGES, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        maps = network.frozen_stages(x)
    return faster_precision(network.trainable_stages, network.head, maps)


def cache_pass(
    graph: StageMapsGraph, settings: EngineSettings, pixels: np.ndarray, preprocessing: Preprocessing
) -> Callable[[], object]:
    """Stored pixels to cached maps in float32 under these settings."""
    engine = ForwardEngine(graph, compile_after=0)

    def run() -> object:
        with using_settings(settings):
            return frozen_maps(engine, pixels, preprocessing, "bars")

    return run


def prediction_pass(
    network: Classifier, settings: EngineSettings, pixels: np.ndarray, preprocessing: Preprocessing
) -> Callable[[], object]:
    """Stored pixels to logits under these settings."""
    predictor = Predictor(network, preprocessing)

    def run() -> object:
        with using_settings(settings):
            return predictor.logits(pixels)

    return run


def steps(network: Classifier, maps: Tensor, precision: Precision) -> list[Callable[[], None]]:
    """A step as it is now, and one in float32 with the gradients of the version before."""

    def step(dense: bool, precision: Precision) -> None:
        for module in network.trainable_stages.modules():
            if isinstance(module, FusedConv2d):
                module.dense = dense and module.groups == 1
        gradient_step(network.trainable_stages, network.head, maps, precision)

    def before() -> None:
        with earlier_depthwise_gradients():
            step(False, "32-true")

    return [partial(step, True, precision), before]


@contextmanager
def earlier_depthwise_gradients() -> Iterator[None]:
    """The library's gradients of depthwise convolutions, but for kernels that reach across small maps."""

    def by_weight(x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        if 2 * padding >= x.shape[2] == x.shape[3]:
            return depthwise.weight_gradient_by_taps(x, grad, weight, stride, padding)
        return depthwise.library_gradient(x, grad, weight, stride, padding, by_input=False)

    by_input = partial(depthwise.library_gradient, by_input=True)
    with patch.multiple(depthwise, input_gradient=by_input, weight_gradient=by_weight):
        yield


def wheel_size(name: str = "openvino") -> Iterator[Row]:
    """Megabytes of the wheel; it is downloaded and thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder, name]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
            yield value_row("start", f"wheel of {name}", "megabytes", np.array([size / 1e6]), 1)
