"""Shards of little grey pictures, and a server on the loopback that gives parts of files."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from PIL import Image


def png(grey: int, side: int = 8) -> bytes:
    """A grey picture, encoded."""
    content = io.BytesIO()
    Image.new("RGB", (side, side), (grey,) * 3).save(content, "PNG")
    return content.getvalue()


def write_shard(path: Path, samples: Sequence[tuple[str, dict[str, bytes]]]) -> None:
    """A tar file with, for each sample, a file per suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, files in samples:
            for suffix, content in files.items():
                entry = tarfile.TarInfo(f"{key}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def grey_samples(start: int, n: int, *, classes: int = 2) -> list[tuple[str, dict[str, bytes]]]:
    """Pictures of growing grey with the number of their class in a .cls and further facts in a .json."""
    return [
        (
            f"{i:06d}",
            {
                "png": png(i % 250),
                "cls": str(i % classes).encode(),
                "json": json.dumps({"camera": f"c{i % 3}", "box": [1, 2]}).encode(),
            },
        )
        for i in range(start, start + n)
    ]


class RangeHandler(SimpleHTTPRequestHandler):
    """Files of a folder, whole or in part, as object stores give them."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", self.date_time_string(int(path.stat().st_mtime)))
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        self.end_headers()

    def do_GET(self) -> None:
        path, wanted = Path(self.translate_path(self.path)), self.headers.get("Range")
        if wanted is None or not path.is_file():
            super().do_GET()
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        size = path.stat().st_size
        stop = min(int(last) + 1 if last else size, size)
        with path.open("rb") as file:
            file.seek(int(first))
            part = file.read(stop - int(first))
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(part)


class ObjectStoreHandler(RangeHandler):
    """As much of an object store's interface as reading takes: the list of a bucket, and parts of objects.

    Buckets are the folders of a folder. Signatures are not checked.
    """

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        if "list-type" not in asked:
            super().do_GET()
            return
        bucket = Path(self.directory, address.path.strip("/"))
        keys = sorted(path.relative_to(bucket).as_posix() for path in bucket.rglob("*") if path.is_file())
        keys = [key for key in keys if key.startswith(asked.get("prefix", ""))]
        content = list_of_objects(bucket, keys).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def list_of_objects(bucket: Path, keys: Sequence[str]) -> str:
    """The answer to a request for the objects of a bucket, in the form that S3 gives it."""
    objects = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;{(bucket / key).stat().st_mtime_ns}&quot;</ETag>"
        f"<Size>{(bucket / key).stat().st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key in keys
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{bucket.name}</Name><KeyCount>{len(keys)}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
    )


@contextmanager
def file_server(folder: Path, handler: type[RangeHandler] = RangeHandler, *, port: int = 0) -> Iterator[str]:
    """The URL of a folder, served on the loopback, at a free port where none is given."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
