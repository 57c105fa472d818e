"""A model: a network with its preprocessing, the reading of its outputs and the order of its classes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError, first_line
from deepsight.core.open_model import Visit
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import OutputReading, output_tensor
from deepsight.model.predict import join_tiles, split_tiles

Prepare = Callable[[Pixels], Tensor]
BATCH_PIXELS = 32 * 224**2  # pixels of a batch: about 20 MB of input
LARGEST_BATCH = 256
STATE_INPUT = "State the input that it needs with --preprocess."


@dataclass(frozen=True)
class ForeignModel:
    """A model whose logits are in the order of the data's classes.

    Attributes:
        opened: the network.
        prepare: uint8 RGB images (b, h, w, 3) to the network's input.
        reading: of its outputs.
        columns: int64 (k,), the output of each class of the data.
        nhwc: whether the input's channels come last.
    """

    opened: Network
    prepare: Prepare
    reading: OutputReading
    columns: Ints
    nhwc: bool = False

    def batches(self, pixels: Pixels, *, tiles: int = 1) -> Iterator[Tensor]:
        """Inputs of images, batch by batch; mosaics are reduced if the model takes only one size."""
        step = self.batch_of(tiles)
        for start in range(0, len(pixels), step):
            inputs = self.prepare(split_tiles(pixels[start : start + step], tiles))
            yield inputs if tiles == 1 else self.joined(inputs, tiles)

    def batch_of(self, tiles: int) -> int:
        """Images in a batch, by the size of the input."""
        if self.opened.batch is not None:
            return self.opened.batch
        area = self.example[0, ..., 0].numel() if self.nhwc else self.example[0, 0].numel()
        return int(np.clip(BATCH_PIXELS // (area * tiles**2), 1, LARGEST_BATCH))

    @cached_property
    def example(self) -> Tensor:
        """The input of one black image of 32 × 32 pixels, which shows the input's shape."""
        return self.prepare(np.zeros((1, 32, 32, 3), dtype=np.uint8))

    def joined(self, inputs: Tensor, tiles: int) -> Tensor:
        """Inputs of tiles joined to mosaics: at full size, or reduced to one image's size if it is fixed."""
        images = join_tiles(inputs.permute(0, 3, 1, 2) if self.nhwc else inputs, tiles)
        if not self.takes_any_size:
            images = torch.nn.functional.avg_pool2d(images, tiles)
        return images.permute(0, 2, 3, 1).contiguous() if self.nhwc else images

    @property
    def outputs(self) -> int:
        """The number of raw outputs."""
        return 1 if self.reading.kind in ("one logit", "one probability") else self.reading.width

    @cached_property
    def takes_any_size(self) -> bool:
        """Whether the network also runs on inputs twice as large, with the same number of outputs."""
        if self.opened.size is not None:
            return False
        h, w = (2 if self.nhwc else 3), (1 if self.nhwc else 2)
        large = self.example.repeat_interleave(2, dim=h).repeat_interleave(2, dim=w)
        try:
            with torch.no_grad():
                outputs = output_tensor(self.opened.forward(large))
            return bool(outputs.shape[1] == self.outputs and torch.isfinite(outputs).all())
        except Exception:  # a foreign module may raise anything
            return False

    def logits(self, pixels: Pixels) -> Floats32:
        """The logits (n, k)."""
        with torch.no_grad():
            parts = [self.answer(inputs).cpu().numpy() for inputs in self.batches(pixels)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.columns)), np.float32)

    def answer(self, inputs: Tensor) -> Tensor:
        """Logits (b, k) of one batch, which is split in halves while memory runs out."""
        try:
            return self.scores(inputs)
        except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
            if not out_of_memory(error) or len(inputs) == 1:
                raise
        middle = len(inputs) // 2
        return torch.cat([self.answer(inputs[:middle]), self.answer(inputs[middle:])])

    def scores(self, inputs: Tensor) -> Tensor:
        """Logits (b, k) of prepared inputs, with gradients where the network has them.

        Raises:
            DeepSightError: the network fails on them, or returns no class scores.
        """
        outputs = class_scores(self.opened, inputs)
        return self.reading.logits(outputs)[:, torch.as_tensor(self.columns, device=outputs.device)]


@dataclass(frozen=True)
class WatchedModel(ForeignModel):
    """A foreign model whose gradients and intermediate outputs can be used."""

    def parameters(self) -> Mapping[str, Sequence[Tensor]]:
        """The tensors that belong to each named part itself, not to its parts."""
        assert self.opened.parameters is not None
        return self.opened.parameters()

    def watch(self, visit: Visit) -> AbstractContextManager[None]:
        """Report the output of each part that runs."""
        assert self.opened.watch is not None
        return self.opened.watch(visit)


def foreign_model(opened: Network, *args: Any, **more: Any) -> ForeignModel:
    """The model of a network, as a `WatchedModel` if its layers can be watched.

    Layers see the copies that fill up a fixed batch of several images, so such a model is a black box.
    """
    inside = opened.parameters is not None and opened.watch is not None and opened.batch in (None, 1)
    return (WatchedModel if inside else ForeignModel)(opened, *args, **more)


def class_scores(opened: Network, inputs: Tensor) -> Tensor:
    """The class scores (b, width) of prepared inputs.

    Raises:
        DeepSightError: the network fails, or does not return one row of scores per input.
    """
    scores = output_tensor(run_network(opened, inputs))
    if len(scores) != len(inputs):
        raise DeepSightError(
            f"Expected a row of class scores for each of {len(inputs)} images from {opened.name}, received "
            f"{len(scores)}. It must return one row per image of the batch."
        )
    return scores


def run_network(opened: Network, inputs: Tensor) -> Any:
    """What the network returns; its own errors become a DeepSightError.

    A batch smaller than the fixed size of the network is filled up with copies of its last image.

    Raises:
        DeepSightError: the network raised an error.
    """
    n = len(inputs)
    if opened.batch is not None and n < opened.batch:
        filled = torch.cat([inputs, inputs[-1:].expand(opened.batch - n, *inputs.shape[1:])])
        return class_scores(opened, filled)[:n]
    try:
        return opened.forward(inputs)
    except DeepSightError:
        raise
    except (Exception, SystemExit) as error:
        if out_of_memory(error):
            raise
        text = first_line(error, most=200).rstrip(".")
        alone = "required positional argument" in text
        raise DeepSightError(
            f"Expected {opened.name} to take inputs of shape {tuple(inputs.shape)}, but it failed: "
            f"{type(error).__name__}: {text}. "
            + ("It must take images alone: wrap it in a module that does." if alone else STATE_INPUT)
        ) from error


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)
