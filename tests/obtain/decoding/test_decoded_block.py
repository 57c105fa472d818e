"""A decoding that is stopped goes on where it was, and says beforehand what it takes."""

import weakref
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import silent
from deepsight.obtain.decoding import decode, decoded_block
from deepsight.obtain.decoding.bit_depth import Depth
from deepsight.obtain.decoding.crop import Unreadable
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.decoding.decoded_block import Block, block_path, remove_blocks, require_room
from deepsight.obtain.decoding.decoded_cache import Decoded, decoded_parts
from made_shards import png

N = 600


@pytest.fixture(autouse=True)
def small_blocks(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decode, "BLOCK_BYTES", 1)


class Reader:
    """Reads pictures, counts them, and stops at one of them."""

    def __init__(self, stop_at: int | None) -> None:
        self.stop_at, self.read = stop_at, set[int]()

    def __call__(self, row: int) -> bytes:
        if row == self.stop_at:
            raise KeyboardInterrupt
        if row == 5:
            raise Unreadable("a planted fault")
        self.read.add(row)
        return png(row % 250)


def decoded(reader: Reader) -> Decoded:
    listing = Listing([f"{i}.png" for i in range(N)], np.arange(N) % 2, reader)
    return decoded_parts({"all": listing}, key="k", shape=(8, 8), fit="crop", log=silent)["all"]


@pytest.mark.slow
def test_a_decoding_that_was_stopped_goes_on_and_gives_the_same(tmp_path):
    first = Reader(stop_at=520)
    with pytest.raises(KeyboardInterrupt):
        decoded(first)
    assert list(tmp_path.rglob("*_block_*.npz"))
    second = Reader(stop_at=None)
    resumed = decoded(second)
    assert min(second.read) == 512
    assert resumed.part.images[:][:, 0, 0, 0].tolist() == [i % 250 for i in range(N) if i != 5]
    assert resumed.quarantined == [{"file": "5.png", "reason": "a planted fault"}]
    assert not list(tmp_path.rglob("*_block_*.npz"))


def test_no_pixels_of_a_block_stay_in_memory(tmp_path: Path) -> None:
    """Weak references die with the pixels: all but those of the block that is being handed on."""
    listing = Listing([f"{i}.png" for i in range(N)], np.arange(N) % 2, Reader(stop_at=None))
    decoding = decode.Decoding("all", listing, (8, 8), "crop", tmp_path, silent)
    alive: list[weakref.ref[np.ndarray]] = []
    for pixels in decoding.batches():
        base = pixels if pixels.base is None else pixels.base
        alive.append(weakref.ref(base))
        del pixels, base
        assert sum(each() is not None for each in alive[:-1]) <= 1
    assert len(alive) > 2
    assert all(len(block.pixels) == 0 and block.pixels.base is None for block in decoding.blocks)


@pytest.mark.slow
def test_a_damaged_block_is_decoded_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        decoded(Reader(stop_at=520))
    damaged = next(tmp_path.rglob("*_block_256.npz"))
    damaged.write_bytes(damaged.read_bytes()[:-200])
    again = Reader(stop_at=None)
    assert len(decoded(again).part.labels) == N - 1
    assert min(again.read) == 256


def test_a_block_comes_back_as_it_was_written(tmp_path):
    block = Block(
        np.zeros((1, 2, 2, 3), np.uint8), np.array([4]), np.ones((1, 16), np.uint8), np.array([0.5]),
        np.array([np.nan]), [{"file": "a", "reason": "b"}], {4: Depth("PNG uint16", 900.0)},
    )  # fmt: skip
    block.save(tmp_path / "x.npz")
    back = Block.load(tmp_path / "x.npz")
    assert back is not None
    assert back.depths == block.depths
    assert back.quarantined == block.quarantined
    assert np.array_equal(back.taken, block.taken, equal_nan=True)
    assert Block.load(tmp_path / "absent.npz") is None


def test_blocks_of_another_part_stay(tmp_path: Path):
    for name in ("train", "train_more"):
        block_path(tmp_path, name, 0).touch()
    remove_blocks(tmp_path, "train")
    assert [path.name for path in tmp_path.iterdir()] == ["train_more_block_0.npz"]


def test_a_disk_without_room_is_refused_beforehand(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(decoded_block.shutil, "disk_usage", lambda _: usage(10_000))
    require_room(tmp_path, 10, 192, silent)
    with pytest.raises(DeepSightError, match="DEEPSIGHT_CACHE"):
        require_room(tmp_path, 100, 192, silent)
