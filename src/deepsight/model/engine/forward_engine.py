"""Runs all forward-only passes, on the fastest backend that agrees with PyTorch."""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain

import torch
from torch import Tensor, nn

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.recipe import PassPrecision
from deepsight.model.engine.openvino_backend import OpenVinoBackend
from deepsight.model.engine.settings import active_settings
from deepsight.model.engine.torch_backend import Outputs, TorchBackend

COMPILE_AFTER = 256  # images; compiling takes about as long as PyTorch needs for these at 64 px
SAID = 160  # characters quoted from the end of an error, which names the operator
COMPARED = 8  # images of the first batch that run on both backends
TOLERANCE = 1e-4  # in float32, of the largest output or of 1 if that is smaller
SHORT_TOLERANCE = 0.1  # in bfloat16: root mean square of the difference, relative to that of the outputs


class ForwardEngine:
    """A module, run forward only.

    The first images run in PyTorch. After `COMPILE_AFTER` of them OpenVINO compiles the module, if the active
    settings ask for it and the module is on the CPU. Its first outputs are compared with PyTorch's in
    float32; if they differ too much, PyTorch stays in use, and a warning says why.

    Args:
        module: from images (b, c, h, w) to a tuple of tensors; PyTorch reads its weights without a copy.
        precision: of the computation; reported results are computed in float32.
        compile_after: number of images that run in PyTorch first.

    Attributes:
        reason: why PyTorch is used although the settings ask for OpenVINO; else empty.
    """

    def __init__(
        self, module: nn.Module, precision: PassPrecision = "32-true", *, compile_after: int = COMPILE_AFTER
    ) -> None:
        self._module = module
        self._torch = TorchBackend(module, precision)
        self._precision = precision
        self._compiled: dict[tuple[int, ...], OpenVinoBackend] = {}
        self._left = compile_after
        self._made_of: tuple[tuple[int, int], ...] = ()
        self.reason = ""

    def run(self, batches: Iterable[Tensor], n: int) -> Iterator[Outputs]:
        """The outputs of each batch, in order.

        Args:
            batches: normalised images (b, c, h, w), channels last in memory; read lazily.
            n: number of images in all batches.
        """
        self._left -= n
        iterator = iter(batches)
        first = next(iterator, None)
        if first is not None:
            yield from self._backend_for(first).run(chain([first], iterator))

    def _backend_for(self, batch: Tensor) -> OpenVinoBackend | TorchBackend:
        settings = active_settings()
        on_processor = next(self._module.parameters()).device.type == "cpu"
        if settings.backend != "openvino" or not on_processor or self._left > 0 or self.reason:
            return self._torch
        self._forget_old_weights()
        shape = (*batch.shape[1:], settings.streams, torch.get_num_threads())
        if shape not in self._compiled:
            backend, self.reason = self._compile(batch, settings)
            if backend is None:
                logging.getLogger(__name__).warning("%s PyTorch is used instead.", self.reason)
                return self._torch
            self._compiled[shape] = backend
        return self._compiled[shape]

    def _forget_old_weights(self) -> None:
        """Drop compiled copies when weights were changed in place, since the copies do not follow."""
        values = self._module.state_dict(keep_vars=True).values()
        # A tensor made in inference mode has no version, and is not changed in place outside of that mode.
        now = tuple((id(value), 0 if value.is_inference() else value._version) for value in values)
        if now != self._made_of:
            self._compiled.clear()
            self._made_of = now

    def _compile(self, batch: Tensor, settings: EngineSettings) -> tuple[OpenVinoBackend | None, str]:
        few = batch[:COMPARED]
        try:
            backend = OpenVinoBackend(self._module, few, streams=settings.streams, precision=self._precision)
            ours = next(backend.run([few]))
        except Exception as error:  # OpenVINO's errors have no common base; PyTorch can always continue
            return None, f"OpenVINO cannot run this network: {' '.join(str(error).split())[-SAID:]}."
        theirs = next(TorchBackend(self._module).run([few]))
        exact, short = (largest_difference, TOLERANCE), (mean_difference, SHORT_TOLERANCE)
        measure, most = exact if self._precision == "32-true" else short
        difference = measure(ours, theirs)
        if not difference <= most:
            return None, f"OpenVINO's outputs differ from PyTorch's by {difference:.2g}."
        return backend, ""


def largest_difference(ours: Outputs, theirs: Outputs) -> float:
    """The largest difference of two tuples of outputs, relative to the largest value or 1; may be NaN."""
    pairs = zip(ours, theirs, strict=True)
    parts = [(a - b.float()).abs().max() / b.abs().max().clamp_min(1.0) for a, b in pairs]
    return float(torch.stack(parts).max())


def mean_difference(ours: Outputs, theirs: Outputs) -> float:
    """The largest root mean square difference of two tuples of outputs, relative to theirs; may be NaN."""
    pairs = zip(ours, theirs, strict=True)
    parts = [(a - b).square().mean().sqrt() / b.square().mean().sqrt().clamp_min(1e-12) for a, b in pairs]
    return float(torch.stack(parts).max())
