"""Settings of the inference engine. The plan stores them, so that a study is repeatable."""

from dataclasses import dataclass
from typing import Literal, get_args

from deepsight.core.errors import UsageError
from deepsight.core.recipe import PassPrecision

Backend = Literal["torch", "openvino"]


@dataclass(frozen=True)
class EngineSettings:
    """Settings of the inference engine (`model/engine`), chosen by its self-test.

    Attributes:
        backend: "torch" runs on every device, "openvino" only on CPUs.
        streams: batches that OpenVINO processes at once; they share the threads.
        batch_pixels: pixels per batch: number of images × side².
        precision: of the features of the backbone before training; a model's answers are always computed in
            float32.

    Raises:
        UsageError: the backend or the precision is unknown, or a number is below 1.
    """

    backend: Backend = "torch"
    streams: int = 1
    batch_pixels: int = 64 * 64**2  # docs/decisions/0017-small-passes.md
    precision: PassPrecision = "32-true"

    def __post_init__(self) -> None:
        known = self.backend in get_args(Backend) and self.precision in get_args(PassPrecision)
        if not known or self.streams < 1 or self.batch_pixels < 1:
            raise UsageError(
                "Expected the engine 'torch' or 'openvino' with a known precision, at least one stream and "
                f"one pixel per batch, received {self}."
            )

    def images_per_batch(self, side: int) -> int:
        """The number of images per batch for images of this side in pixels, at least 1."""
        return max(1, self.batch_pixels // side**2)
