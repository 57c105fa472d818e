"""All splits as one sequence of images, read a block at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.scrub.leakage import pixel_digests


@dataclass(frozen=True)
class Pool:
    """The images of several splits, numbered consecutively in the order of the splits."""

    parts: Mapping[str, Dataset]

    def __post_init__(self) -> None:
        shapes = {name: tuple(part.images.shape[1:]) for name, part in self.parts.items()}
        if len(set(shapes.values())) > 1:
            raise DeepSightError(f"Expected images of one shape in all splits, received {shapes}.")

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts.values())

    def read(self, rows: Ints) -> Tensor:
        """These images as float32 (b, 3, h, w), 0 to 255; rows in any order."""
        pixels = self.gather([part.images for part in self.parts.values()], rows)
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float()

    def gather(self, stored: Sequence[Any], rows: Ints) -> NDArray[Any]:
        """Rows of arrays that are stored per split, in the order of the splits."""
        owner, place = self.locate(rows)
        gathered = np.empty((len(rows), *stored[0].shape[1:]), dtype=stored[0].dtype)
        for number, array in enumerate(stored):
            gathered[owner == number] = array[place[owner == number]]
        return gathered

    def locate(self, rows: Ints) -> tuple[Ints, Ints]:
        """The number of each row's split, and its position there."""
        ends = np.cumsum([len(part) for part in self.parts.values()])
        owner = np.searchsorted(ends, rows, side="right")
        return owner, rows - (ends - [len(part) for part in self.parts.values()])[owner]

    def names(self, rows: Ints) -> list[str]:
        """The split of each row."""
        known = list(self.parts)
        return [known[number] for number in self.locate(rows)[0]]

    def ids(self, rows: Ints) -> Ints:
        """The row of each image in the official order of its split."""
        return np.concatenate([part.ids for part in self.parts.values()])[rows]

    def first_copies(self) -> Ints:
        """For each image the first one with the same pixels, which may be the image itself."""
        marks = np.concatenate([pixel_digests(part.images) for part in self.parts.values()])
        _, first, which = np.unique(marks, return_index=True, return_inverse=True)
        return np.asarray(first[which], dtype=np.int64)
