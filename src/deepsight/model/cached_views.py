"""The frozen stages' output for every training image and view, computed once and kept on disk.

The frozen stages never change during training, so their maps are kept: float16, one file per view,
(n, h, w, c) in memory order. A view is filled when it is first drawn from. Its key covers everything that the
maps depend on, so a later training with the same frozen stages, views and data reads them.
"""

import copy
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.array_types import Pixels
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, TransientError
from deepsight.core.files.atomic import atomic_path, write_text
from deepsight.core.recipe import PassPrecision
from deepsight.model.augment import augmented, definition
from deepsight.model.engine import ForwardEngine, active_settings
from deepsight.model.engine.graphs import StageMapsGraph
from deepsight.model.feature_cache import FeatureCache, digest_file
from deepsight.model.mix_pixels import Partners, mix_block, partners_of
from deepsight.model.preprocess import Preprocessing
from deepsight.model.training.sampling import Mixing

BLOCK = 1024
TRIES = 3


class CachedViews:
    """Maps of one data set after one set of frozen stages, by view and row.

    Args:
        frozen: the frozen stages, on any device.
        data: the images.
        preprocessing: that the stages were trained with.
        cache: where the maps are stored.
        seed: of the augmentation.
        mixing: every image of a view is mixed with another before it enters the frozen stages; None for no
            mixing.
        precision: in which the maps are computed.
    """

    def __init__(
        self, frozen: nn.Module, data: Dataset, preprocessing: Preprocessing, cache: FeatureCache, *,
        seed: int, mixing: Mixing | None = None, precision: PassPrecision = "32-true",
    ) -> None:  # fmt: skip
        self._frozen = frozen.eval()
        self._data = data
        self._preprocessing = preprocessing
        self._cache = cache
        self._seed = seed
        self._mixing = mixing
        self._precision = precision
        self._engine = ForwardEngine(StageMapsGraph(self._frozen), precision)
        self._rows = np.arange(len(data))
        self._open: dict[int, NDArray[np.float16]] = {}
        self._partners: dict[int, Partners] = {}
        self.key = key_of(frozen, data, preprocessing, seed, mixing, precision)

    def __len__(self) -> int:
        return len(self._rows)

    def select(self, rows: NDArray[np.int64]) -> "CachedViews":
        """The same cached maps for some of the rows only."""
        if self._mixing is not None:
            raise ValueError("Expected views without mixing: a partner may not be among the rows.")
        chosen = copy.copy(self)
        chosen._rows = self._rows[rows]
        return chosen

    def mixed(self, mixing: Mixing) -> "CachedViews":
        """Views of the same images, mixed as pixels before the frozen stages."""
        return CachedViews(
            self._frozen,
            self._data if len(self) == len(self._data) else self._data.select(self._rows),
            self._preprocessing,
            self._cache,
            seed=self._seed,
            mixing=mixing,
            precision=self._precision,
        )

    def batch(self, view: int, rows: NDArray[np.int64]) -> Tensor:
        """Maps of these rows, float32 (b, c, h, w), channels last in memory."""
        return as_input(self.view(view)[self._rows[rows]])

    def partners(self, number: int, rows: NDArray[np.int64]) -> Partners:
        """The images that these rows were mixed with in a view."""
        if number not in self._partners:
            assert self._mixing is not None
            n, height, width = self._data.images.shape[:3]
            self._partners[number] = partners_of(
                n, height, width, self._mixing, view=number, size=BLOCK, seed=self._seed
            )
        found = self._partners[number]
        return Partners(found.rows[rows], found.own[rows])

    def view(self, number: int) -> NDArray[np.float16]:
        """All maps of a view (n, h, w, c), computed now if they are not stored.

        Raises:
            DeepSightError: a batch is invalid, a map does not fit into float16, or the cache has no room.
        """
        if number not in self._open:
            self._open[number] = self._opened(number)
        return self._open[number]

    def _opened(self, number: int) -> NDArray[np.float16]:
        """A view on disk, memory-mapped; another process may remove it before it is open."""
        path = self._cache.path(self.key, number)
        for _ in range(TRIES):
            if not self._cache.holds(path):
                if path.exists() and digest_file(path).exists():  # caches of earlier versions have no digest
                    self._cache.log(f"{path} is damaged, so it is computed again.")
                self._fill(number, path)
            with suppress(FileNotFoundError):
                maps: NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
                with suppress(OSError):  # a read-only cache is fine
                    os.utime(path)
                return maps
        raise TransientError(
            f"Expected cached maps in {path}, but another process removes them. Wait until it ends, or set "
            "DEEPSIGHT_CACHE to another folder."
        )

    def _fill(self, number: int, path: Path) -> None:
        one = self._maps_of(self._data.pixels(slice(0, 1)), "the first image")
        full = (len(self._data), *one.shape[1:])
        self._cache.make_room(int(np.prod(full)) * 2)
        digest = hashlib.blake2b(digest_size=16)
        self._cache.remove(path)
        # Written, not memory-mapped: on a full disk a write raises an error, but a mapping kills the process.
        with atomic_path(path) as part, part.open("wb") as file:
            for content in self._contents(number, full):
                file.write(content)
                digest.update(content)
        write_text(digest_file(path), digest.hexdigest())

    def _contents(self, number: int, shape: tuple[int, ...]) -> Iterator[bytes]:
        """The bytes of a view's file: the .npy header, then the maps block by block."""
        header = io.BytesIO()
        about = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False}
        np.lib.format.write_array_header_1_0(header, {**about, "shape": shape})
        yield header.getvalue()
        for block in range(-(-len(self._data) // BLOCK)):
            yield self._block(number, block).tobytes()

    def _block(self, number: int, block: int) -> NDArray[np.float16]:
        rows = slice(block * BLOCK, min((block + 1) * BLOCK, len(self._data)))
        pixels = augmented(self._data.pixels(rows), view=number, block=block, seed=self._seed)
        if self._mixing is not None:
            pixels = mix_block(pixels, self._mixing, view=number, block=block, seed=self._seed)
        return self._maps_of(pixels, f"{self._data.source}, view {number}, block {block}")

    def _maps_of(self, pixels: NDArray[np.uint8], name: str) -> NDArray[np.float16]:
        return frozen_maps(self._engine, pixels, self._preprocessing, name)


def frozen_maps(
    engine: ForwardEngine, pixels: Pixels, preprocessing: Preprocessing, name: str
) -> NDArray[np.float16]:
    """Maps of these images (n, h, w, c), every batch verified before it is used.

    Args:
        engine: computes the maps after the frozen stages.
        pixels: uint8 (n, h, w, 3).
        preprocessing: that the stages were trained with.
        name: of the images, for messages.

    Raises:
        DeepSightError: a batch is invalid, or the maps do not fit into float16.
    """
    batches = preprocessing.batches(pixels, name)
    parts = [as_stored(maps) for (maps,) in engine.run(batches, len(pixels))]
    whole = np.concatenate(parts)
    if not np.isfinite(whole).all():
        raise DeepSightError(
            f"Expected maps of the frozen stages within ±65504, received larger or NaN in {name}. "
            "Check --weights and the normalisation."
        )
    return whole


def as_stored(maps: Tensor) -> NDArray[np.float16]:
    """Maps (n, c, h, w) as they are stored in a cache, (n, h, w, c); tokens and features keep their order."""
    ordered = maps.permute(0, 2, 3, 1) if maps.ndim == 4 else maps
    return np.asarray(ordered.half().cpu().numpy())


def as_input(stored: NDArray[np.floating]) -> Tensor:
    """Stored maps (n, h, w, c) as input of the trainable stages: float32 (n, c, h, w)."""
    maps = torch.from_numpy(stored)
    return maps.permute(0, 3, 1, 2).float() if maps.ndim == 4 else maps.float()


def dataset_maps(
    frozen: nn.Module, data: Dataset, preprocessing: Preprocessing, name: str
) -> NDArray[np.float16]:
    """Maps of all images of a split without augmentation, (n, h, w, c); pixels are read block by block.

    Raises:
        DeepSightError: as `frozen_maps`.
    """
    engine = ForwardEngine(StageMapsGraph(frozen))
    starts = range(0, len(data), 4 * BLOCK)
    blocks = (data.pixels(slice(start, start + 4 * BLOCK)) for start in starts)
    return np.concatenate([frozen_maps(engine, block, preprocessing, name) for block in blocks])


def key_of(
    frozen: nn.Module, data: Dataset, preprocessing: Preprocessing, seed: int, mixing: Mixing | None,
    precision: PassPrecision,
) -> str:  # fmt: skip
    """A digest of everything that the maps depend on."""
    digest = hashlib.sha256()
    for name, value in frozen.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    engine = active_settings().backend  # the backends' outputs differ in the last bits
    made = (
        preprocessing,
        engine,
        data.source,
        data.images.shape,
        seed,
        BLOCK,
        mixing,
        precision,
        definition(),
    )
    digest.update(repr(made).encode())
    digest.update(data.ids.tobytes())
    for start in range(0, len(data), 4 * BLOCK):
        digest.update(data.pixels(slice(start, start + 4 * BLOCK)).tobytes())
    return digest.hexdigest()[:24]
