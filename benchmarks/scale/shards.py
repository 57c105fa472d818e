"""WebDataset shards of generated pictures, and a server on the loopback that gives parts of them."""

import io
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/support"))
from made_shards import RangeHandler, file_server

SIDE, K, PER_SHARD = 16, 10, 10_000  # pixels; classes; pictures


def write_shards(folder: Path, n: int) -> str:
    """Shards of n PNG pictures with their classes; gives their pattern. Those that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-n // PER_SHARD)
    for number in range(count):
        path = folder / f"{n}-{number:04d}.tar"
        if not path.exists():
            write_shard(path, number, min(PER_SHARD, n - number * PER_SHARD))
    return f"{n}-{{0000..{count - 1:04d}}}.tar"


def write_shard(path: Path, seed: int, n: int) -> None:
    """One shard of clouds in a tint of their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, n)
    angle = 2 * np.pi * labels / K
    tint = np.stack([np.cos(angle + shift) for shift in (0, 2.1, 4.2)], axis=1) * 30 + 128
    cells = tint[:, None, None] + rng.normal(0, 50, (n, SIDE // 2, SIDE // 2, 3))
    images = cells.clip(0, 255).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    part = path.with_suffix(".part")
    with tarfile.open(part, "w") as tar:
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            add_file(tar, f"{row:06d}.png", cv2.imencode(".png", image)[1].tobytes())
            add_file(tar, f"{row:06d}.cls", str(label).encode())
    part.rename(path)


def add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add one file."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


class KeepAlive(RangeHandler):
    """The same over connections that stay open, as clients of object stores keep them."""

    protocol_version = "HTTP/1.1"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a folder, served on the loopback; always the same one, since a shard is known by its URL."""
    noted = folder / "port"
    port = int(noted.read_text()) if noted.exists() else 0
    with file_server(folder, KeepAlive, port=port) as url:
        noted.write_text(url.rpartition(":")[2])
        yield url
