"""From candidates to scored pairs: a cheap correlation for all, then registration for those that pass."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.array_types import Ints
from deepsight.core.files.scratch import scratch_rows
from deepsight.images.resize import resize
from deepsight.scrub.duplicates import registration
from deepsight.scrub.duplicates.candidates import (
    ReadFeatures,
    describe_features,
    distinct_pairs,
    neighbour_pairs,
)
from deepsight.scrub.duplicates.descriptor import (
    BLOCK,
    Read,
    describe_images,
    gradient_halves,
    row_blocks,
    thumbnail_halves,
)

SLOPES, PICTURE, FEATURES = 6, 2, 4  # nearest images by each descriptor, and by features, if given
SLOPES_LENGTH, PICTURE_LENGTH = 64, 40  # dimensions kept of 72 and of 192
SLOPES_SIMILAR = 0.6  # of 30 published near-duplicates, 29 have at least 0.83
PICTURE_SIMILAR = 0.55  # all 30 have at least 0.58
PEAK = 0.6  # of the coarse correlation; known near-duplicates reach 0.65, nine in ten candidates do not
STARTS = 2  # placements that registration starts from
PAIRS = 256  # registered at a time


@dataclass(frozen=True)
class Matches:
    """Registered pairs of images.

    Attributes:
        i, j: int64 (p,), rows with i < j.
        mirrored: bool (p,), whether j was mirrored.
        score: float64 (p,), agreement in [0, 1].
        placement: float32 (p, 4), where i is in j: scale and shift of x and y (`registration`).
    """

    i: Ints
    j: Ints
    mirrored: NDArray[np.bool_]
    score: NDArray[np.float64]
    placement: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.i)

    def with_more(self, other: "Matches") -> "Matches":
        """These pairs followed by the others."""
        columns = (
            np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self)
        )
        return Matches(*columns)

    def take(self, rows: Ints) -> "Matches":
        """The pairs at these rows."""
        return Matches(
            self.i[rows], self.j[rows], self.mirrored[rows], self.score[rows], self.placement[rows]
        )


class Matcher:
    """Finds candidate pairs among n images and measures how well the images of each pair agree.

    Args:
        read: rows -> images float32 (b, 3, h, w), 0 to 255.
        n: the number of images.
        seed: random seed of the samples that projections are fitted on.
    """

    def __init__(self, read: Read, n: int, *, seed: int) -> None:
        self._read = read
        self._seed = seed
        self._slopes = describe_images(read, n, halves=gradient_halves, length=SLOPES_LENGTH, seed=seed)
        self._picture = describe_images(read, n, halves=thumbnail_halves, length=PICTURE_LENGTH, seed=seed)
        self._views = coarse_views(read, n)

    def candidates(self, features: ReadFeatures | None) -> tuple[Ints, Ints]:
        """Pairs i < j of images that are similar by pixels, or by these features of any model."""
        found = [
            neighbour_pairs(self._slopes, count=SLOPES, at_least=SLOPES_SIMILAR, seed=self._seed),
            neighbour_pairs(self._picture, count=PICTURE, at_least=PICTURE_SIMILAR, seed=self._seed),
        ]
        if features is not None:
            described = describe_features(features, len(self._slopes), seed=self._seed)
            found.append(neighbour_pairs(described, count=FEATURES, at_least=0.0, seed=self._seed))
        return distinct_pairs(np.concatenate([np.stack(pairs) for pairs in found], axis=1))

    def register(self, i: Ints, j: Ints, *, peak: float = PEAK) -> Matches:
        """The pairs whose coarse correlation reaches `peak`, registered and scored.

        The score is the product of that correlation and the agreement after registration: look-alikes may
        score high in one of them, near-duplicates in both.
        """
        mirrored = self._slopes.mirrored(i, j)
        peaks, starts = self._peaks(i, j, mirrored)
        near = np.flatnonzero((peaks.amax(dim=1) >= peak).numpy())
        i, j, mirrored = i[near], j[near], mirrored[near]
        score, placement = self._scores(i, j, mirrored, best_starts(peaks[near], starts[near]))
        score *= peaks[near].amax(dim=1).clamp_min(0)
        return Matches(i, j, mirrored, score.double().numpy(), placement.numpy())

    def _peaks(self, i: Ints, j: Ints, mirrored: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        peaks, placements = torch.empty(len(i), 3), torch.empty(len(i), 3, 4)
        for rows in row_blocks(len(i), PAIRS):
            pair = image_pairs(self._coarse, i[rows], j[rows], mirrored[rows])
            peaks[rows], placements[rows] = registration.coarse_placements(*pair)
        return peaks, placements

    def _scores(self, i: Ints, j: Ints, mirrored: NDArray[np.bool_], starts: Tensor) -> tuple[Tensor, Tensor]:
        score, placement = torch.empty(len(i)), torch.empty(len(i), 4)
        for rows in row_blocks(len(i), PAIRS):
            pair = image_pairs(self._whole, i[rows], j[rows], mirrored[rows])
            score[rows], placement[rows] = registration.register_pairs(*pair, starts[rows])
        return score, placement

    def _coarse(self, rows: Ints) -> Tensor:
        return torch.from_numpy(np.array(self._views[rows], dtype=np.float32))

    def _whole(self, rows: Ints) -> Tensor:
        return resize(self._read(rows), registration.SIDE)


def coarse_views(read: Read, n: int) -> NDArray[np.float16]:
    """The small versions of all images that the coarse search compares: float16 (n, 2, 16, 16), of 1 kB each.

    Those of very many images lie in a temporary file (`scratch_rows`).
    """
    return scratch_rows((coarse_view(read(rows)) for rows in row_blocks(n, BLOCK)), n)


def coarse_view(images: Tensor) -> NDArray[np.float16]:
    """The small versions of some images, float16 (b, 2, 16, 16)."""
    grey = resize(images.mean(dim=1, keepdim=True), registration.COARSE)
    return np.asarray(registration.coarse_inputs(grey).half().numpy())


def image_pairs(read: Read, i: Ints, j: Ints, mirrored: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
    """Both images of each pair, the second one mirrored where `mirrored` is true."""
    a, b = read(i), read(j)
    return a, torch.where(torch.as_tensor(mirrored)[:, None, None, None], b.flip(-1), b)


def best_starts(peaks: Tensor, placements: Tensor) -> Tensor:
    """The placements (p, STARTS, 4) of the highest peaks (p, s)."""
    order = peaks.topk(STARTS, dim=1)[1]
    return placements.gather(1, order[:, :, None].expand(-1, -1, placements.shape[2]))
