"""The files of a sharded data set, local or remote: listing them, and reading byte ranges."""

import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, cast

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Unreadable

LOCAL = ("file", "local", "memory")
BLOCK = 2**22  # bytes of read-ahead, since rows are read in the order of a shard
MOST_SHARDS = 1_000_000
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass
class Shard:
    """One file of a sharded data set, opened on first use; threads may share it.

    Attributes:
        url: as fsspec opens it.
        name: a short name that no other shard has.
    """

    url: str
    name: str
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _file: BinaryIO | None = field(default=None, repr=False)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes of the file from `offset` on.

        Raises:
            Unreadable: the file is shorter.
            OSError: the file cannot be read.
        """
        with self._lock:
            if self._file is None:
                self._file = open_seekable(self.url)
            self._file.seek(offset)
            content = self._file.read(size)
        if len(content) < size:
            raise Unreadable(f"the shard ends after {len(content)} of {size} bytes")
        return content

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


def open_seekable(url: str) -> BinaryIO:
    """A seekable file with read-ahead.

    Raises:
        OSError: the file does not exist or cannot be read.
        DeepSightError: the protocol is unknown or its library is not installed.
    """
    system, path = file_system(url)
    try:
        return cast(BinaryIO, system.open(path, "rb", block_size=BLOCK, cache_type="readahead"))
    except TypeError:  # file systems without blocks, such as the local one
        return cast(BinaryIO, system.open(path, "rb"))


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it.

    Raises:
        DeepSightError: the protocol is unknown or its library is not installed.
    """
    import fsspec

    try:
        return cast(tuple[Any, str], fsspec.core.url_to_fs(url))
    except (ImportError, ValueError) as error:
        raise DeepSightError(
            f"Expected {url} as a path or a URL for fsspec, but: {error}. For s3:// install the extra: "
            "pip install 'deepsight-forensics[cloud]'; for gs:// pip install gcsfs."
        ) from error


def expand_shards(pattern: str, *, offline: bool) -> list[Shard]:
    """The shards that a pattern matches, in the order of its braces, and of names for `*` and `?`.

    Args:
        pattern: a path or URL; `{000..127}` counts, `{a,b}` lists, `*` and `?` match names.
        offline: refuse remote shards.

    Raises:
        UsageError: the pattern matches nothing, or needs the network under --offline.
    """
    urls: list[str] = []
    for spelt in expand_braces(pattern):
        urls += matching(spelt, offline=offline)
    if not urls:
        raise UsageError(f"Expected shards that match '{pattern}', found none.")
    if len(set(urls)) < len(urls):
        raise UsageError(f"Expected each shard once, but '{pattern}' matches some of them twice.")
    return [Shard(url, name) for url, name in zip(urls, short_names(urls), strict=True)]


def expand_parts(address: DataAddress, *, offline: bool) -> dict[str, list[Shard]]:
    """The shards of each part: those of the address, and those of the options `val` and `test`.

    Raises:
        UsageError: a pattern matches nothing, or needs the network under --offline.
    """
    named = {"all": address.place, "val": address.options.get("val"), "test": address.options.get("test")}
    shards = {part: expand_shards(p, offline=offline) for part, p in named.items() if p is not None}
    return shards if len(shards) == 1 else {"train": shards.pop("all"), **shards}


class Stamped(Protocol):
    """Anything with a digest that changes when it does."""

    @property
    def stamp(self) -> str:
        """The digest."""


def stamps_key(parts: Mapping[str, Sequence[Stamped]]) -> str:
    """A digest that changes when any shard of any part does."""
    stamps = sorted((part, shard.stamp) for part, shards in parts.items() for shard in shards)
    return hashlib.sha256(repr(stamps).encode()).hexdigest()


def expand_braces(pattern: str) -> list[str]:
    """All texts that a pattern with braces stands for: {08..11} for 08, 09, 10 and 11; {a,b} for a and b.

    Raises:
        UsageError: a range has more than a million numbers.
    """
    done: list[str] = []
    waiting = [pattern]  # a stack, the next text last
    while waiting:
        text = waiting.pop()
        if counted := RANGE.search(text):
            first, last = counted.groups()
            if int(last) - int(first) >= MOST_SHARDS:
                raise UsageError(f"Expected at most {MOST_SHARDS:,} shards, received '{pattern}'.")
            choices = [str(i).zfill(len(first)) for i in range(int(first), int(last) + 1)]
            span = counted.span()
        elif listed := re.search(r"\{([^{}]*,[^{}]*)\}", text):
            choices, span = listed.group(1).split(","), listed.span()
        else:
            done.append(text)
            continue
        waiting += [text[: span[0]] + choice + text[span[1] :] for choice in reversed(choices)]
    return done


def matching(url: str, *, offline: bool) -> list[str]:
    """The files that a URL with `*`, `?` or `[` matches, sorted; any other URL is returned as it is.

    Raises:
        UsageError: it needs the network, and `offline` is set.
    """
    system, path = file_system(url)
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    if offline and protocol not in LOCAL:
        raise UsageError(f"Expected shards on this machine under --offline, received '{url}'.")
    if not any(mark in path for mark in "*?["):
        return [url]
    return [str(system.unstrip_protocol(found)) for found in sorted(system.glob(path))]


def short_names(urls: Sequence[str]) -> list[str]:
    """The last component of each URL, or the full URLs if two would share one."""
    last = [url.rstrip("/").rpartition("/")[2] for url in urls]
    return last if len(set(last)) == len(last) else list(urls)


def shard_stamp(url: str) -> str:
    """A digest of a shard's URL, size, and modification time or ETag.

    Raises:
        OSError: the file does not exist, or the server does not answer.
    """
    system, path = file_system(url)
    about = system.info(path)
    marks = [about.get(name) for name in ("size", "mtime", "LastModified", "ETag", "etag", "last_modified")]
    return hashlib.sha256(repr([url, *marks]).encode("utf-8", "surrogatepass")).hexdigest()
