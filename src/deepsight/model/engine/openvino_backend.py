"""Forward passes by OpenVINO: compiled for this CPU in about half a second, float32 or bfloat16."""

import copy
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from deepsight.core.recipe import PassPrecision
from deepsight.model.engine.torch_backend import Outputs
from deepsight.model.hardware.threads import one_thread
from deepsight.model.layers.fuse_batchnorm import with_plain_convolutions

TELEMETRY = "openvino_telemetry"
PRECISION = {"32-true": "f32", "bf16-mixed": "bf16"}


@cache
def openvino() -> Any:
    """The package, imported without its telemetry.

    `import openvino` reports the import to its vendor and stores a client id in the user's home directory. If
    the telemetry package cannot be imported, it uses a stub instead; this function makes that happen.
    """
    hidden = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # an import of it then fails
    try:
        import openvino
        import openvino.frontend.pytorch.ts_decoder
    finally:
        if hidden is None:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = hidden
    return openvino


@cache
def core() -> Any:
    """The runtime, a single one for the process."""
    return openvino().Core()


def has_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoBackend:
    """A module compiled for images of one size, in batches of any length.

    Args:
        module: from images (b, c, h, w) to a tuple of tensors; its weights are copied.
        example: a batch whose channels, height and width are compiled in.
        streams: number of batches computed at once.
        precision: of the computation.

    Raises:
        Exception: OpenVINO is not installed or does not know an operator; its errors have no common base.
    """

    def __init__(
        self, module: nn.Module, example: Tensor, *, streams: int = 1, precision: PassPrecision = "32-true"
    ) -> None:
        options = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": max(streams, torch.get_num_threads()),
            "INFERENCE_PRECISION_HINT": PRECISION[precision],
            "ENABLE_CPU_PINNING": False,  # a thread bound to a busy core makes the others wait: decision 102
        }
        compiled = core().compile_model(graph_of(module, example[:1]), "CPU", options)
        # One more than can run at once: it waits, filled, so that no stream stands still meanwhile.
        self._requests = [compiled.create_infer_request() for _ in range(streams + 1)]
        self._outputs = range(len(compiled.outputs))

    def run(self, batches: Iterable[Tensor]) -> Iterator[Outputs]:
        """The outputs of each batch (b, c, h, w), in order; the next batches are read while others run."""
        free, busy = deque(self._requests), deque[tuple[Any, Any]]()
        try:
            for batch in prepared_on_one_thread(batches):
                if not free:
                    yield self._finished(busy, free)
                pixels = (
                    batch.permute(0, 2, 3, 1).contiguous().numpy()
                )  # no copy: channels are last in memory
                request = free.popleft()
                request.set_input_tensor(openvino().Tensor(pixels, shared_memory=True))
                request.start_async()
                busy.append((request, pixels))  # the pixels must live as long as the request reads them
            while busy:
                yield self._finished(busy, free)
        finally:
            for request, _ in busy:
                request.wait()

    def _finished(self, busy: deque[tuple[Any, Any]], free: deque[Any]) -> Outputs:
        request, _ = busy.popleft()
        request.wait()
        found = [torch.from_numpy(request.get_output_tensor(i).data.copy()) for i in self._outputs]
        free.append(request)
        return tuple(x.permute(0, 3, 1, 2) if x.ndim == 4 else x for x in found)


def prepared_on_one_thread(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """The batches, each made by one thread of PyTorch.

    They are made while OpenVINO computes others on all cores. Several threads of PyTorch would wait in busy
    loops after each operation and take these cores away.
    """
    iterator = iter(batches)
    while True:
        with one_thread():
            batch = next(iterator, None)
        if batch is None:
            return
        yield batch


def graph_of(module: nn.Module, example: Tensor) -> Any:
    """OpenVINO's graph of a module; images and maps are channels last, the number of images is free.

    The frontend is called directly, because `openvino.convert_model` would load its telemetry.
    """
    ov = openvino()
    plain = with_plain_convolutions(copy.deepcopy(module)).cpu().eval().requires_grad_(False)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript's deprecation; OpenVINO's alternative is slower
        traced = torch.jit.trace(plain, example.cpu().contiguous(), check_trace=False)  # type: ignore[no-untyped-call]
        frozen = torch.jit.freeze(traced.eval())
    decoder = ov.frontend.pytorch.ts_decoder.TorchScriptPythonDecoder(frozen, skip_freeze=True)
    frontend = ov.frontend.FrontEndManager().load_by_framework("pytorch")
    graph = frontend.convert(frontend.load(decoder))
    graph.reshape({graph.inputs[0]: ov.PartialShape([-1, *example.shape[1:]])})
    return with_channels_last(graph)


def with_channels_last(graph: Any) -> Any:
    """The graph with its image input and its outputs of rank 4 in (b, h, w, c) order."""
    ov = openvino()
    steps = ov.preprocess.PrePostProcessor(graph)
    nhwc, nchw = ov.Layout("NHWC"), ov.Layout("NCHW")
    steps.input().tensor().set_layout(nhwc)
    steps.input().model().set_layout(nchw)
    for i, output in enumerate(graph.outputs):
        if len(output.partial_shape) == 4:
            steps.output(i).model().set_layout(nchw)
            steps.output(i).tensor().set_layout(nhwc)
    return steps.build()
