"""How forward passes are carried out. The plan stores it, so that a study repeats."""

from dataclasses import dataclass
from typing import Literal, get_args

from deepsight.core.errors import UsageError

Backend = Literal["torch", "openvino"]


@dataclass(frozen=True)
class EngineSettings:
    """Settings of the forward engine (`model/engine`); the self-test chooses them.

    Attributes:
        backend: "torch" runs on every device; "openvino" on processors only.
        streams: batches that OpenVINO has in flight at once; they share the threads.
        batch_pixels: pixels of one batch, that is images times side².
    """

    backend: Backend = "torch"
    streams: int = 1
    batch_pixels: int = 64 * 64**2  # docs/decisions/0017-small-passes.md

    def __post_init__(self) -> None:
        if self.backend not in get_args(Backend) or self.streams < 1 or self.batch_pixels < 1:
            raise UsageError(
                f"Expected an engine 'torch' or 'openvino' with at least one stream and one pixel per batch, "
                f"received {self}."
            )

    def images_per_batch(self, side: int) -> int:
        """How many images of this side, in pixels, form a batch; at least one."""
        return max(1, self.batch_pixels // side**2)
