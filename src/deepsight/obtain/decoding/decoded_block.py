"""Blocks of decoded images on disk, so that a long decoding can continue after an interruption."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import read_npz, write_npz
from deepsight.core.files.damage import DAMAGE
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.progress import Log
from deepsight.obtain.decoding.bit_depth import Depth

BLOCK_BYTES = 2**26  # of pixels that are in memory at once
LARGE_BYTES = 2**30  # above this, the disk space needed is logged beforehand


@dataclass(frozen=True)
class Block:
    """Consecutive items of a listing after decoding.

    Attributes:
        pixels: uint8 (m, h, w, 3), of the items that could be read.
        rows: int64 (m,), their positions in the listing.
        digests: uint8 (m, 16), BLAKE2b of their files.
        cuts: (m,), share of each picture that was cropped away, 0 to 1.
        taken: (m,), time of exposure in seconds since 1970, NaN if it is not recorded.
        quarantined: items that could not be read: {"file", "reason"}.
        depths: by row, of images with more than 8 bits per value.
        several: files with several frames or pages.
    """

    pixels: Pixels
    rows: Ints
    digests: Pixels
    cuts: Floats
    taken: Floats
    quarantined: list[dict[str, str]]
    depths: Mapping[int, Depth]
    several: Sequence[str] = ()

    def save(self, path: Path) -> None:
        """Write the block atomically."""
        lists = {"quarantined": self.quarantined, "several": list(self.several)}
        about = json.dumps({**lists, "depths": list(self.depths.items())})
        write_npz(
            path, pixels=self.pixels, rows=self.rows, digests=self.digests, cuts=self.cuts,
            taken=self.taken, about=np.array(about),
        )  # fmt: skip

    @staticmethod
    def load(path: Path) -> "Block | None":
        """The block that `save` wrote; None if it is absent or damaged."""
        stored = read_npz(path)
        if stored is None:
            return None
        try:
            about = json.loads(str(stored.pop("about")))
            depths = {int(row): Depth(*depth) for row, depth in about["depths"]}
            quarantined, several = about["quarantined"], about["several"]
            return Block(**stored, quarantined=quarantined, depths=depths, several=several)
        except DAMAGE:
            return None


def block_path(folder: Path, name: str, start: int) -> Path:
    """Where the block that starts at a row is kept while its part is decoded."""
    return folder / f"{name}_block_{start}.npz"


def remove_blocks(folder: Path, name: str) -> None:
    """Remove the blocks of a part, once its images are stored as one file."""
    for path in folder.glob("*_block_*.npz"):
        if path.name.startswith(f"{name}_block_"):
            path.unlink(missing_ok=True)


def require_room(folder: Path, n: int, image_bytes: int, log: Log) -> None:
    """Refuse to decode n images if the disk lacks space for them, and log a large demand.

    During decoding they take their space twice: once in blocks and once in one file.

    Raises:
        DeepSightError: the disk has too little space, or the folder cannot be written to.
    """
    needed = 2 * n * image_bytes
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise cannot_write(folder, error) from error
    if needed > free:
        raise DeepSightError(
            f"Expected {needed / 1e9:.1f} GB of free space in {folder} to decode {n:,} images, found "
            f"{free / 1e9:.1f} GB. Free some, set DEEPSIGHT_CACHE to another disk, or store smaller images "
            "with ?side=N."
        )
    if needed > LARGE_BYTES:
        log(
            f"Decoding {n:,} images takes {needed / 2e9:.1f} GB in {folder}, temporarily twice as much, and "
            f"{BLOCK_BYTES / 1e6:.0f} MB of memory for pixels. If it is interrupted, it continues next time."
        )
