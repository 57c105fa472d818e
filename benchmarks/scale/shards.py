"""WebDataset shards of generated pictures, and a server on the loopback that gives parts of them."""

import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np

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


class RangeHandler(SimpleHTTPRequestHandler):
    """Files of a folder, whole or in part."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, wanted = Path(self.translate_path(self.path)), self.headers.get("Range")
        if wanted is None or not path.is_file():
            super().do_GET()
            return
        size = path.stat().st_size
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        stop = min(int(last) + 1 if last else size, size)
        with path.open("rb") as file:
            file.seek(int(first))
            part = file.read(stop - int(first))
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{size}")
        self.end_headers()
        self.wfile.write(part)

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a folder, served on the loopback; always the same one, since a shard is known by its URL."""
    noted = folder / "port"
    port = int(noted.read_text()) if noted.exists() else 0
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(RangeHandler, directory=str(folder)))
    noted.write_text(str(server.server_port))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
