"""Files inside archives, read in memory: nothing is unpacked, so no path or link can cause harm."""

import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from deepsight.obtain.bounded_tar import BoundedEntry
from deepsight.obtain.sources import SourceError

# The published archives hold at most 13 entries, at most 31 MB each and 185 MB together.
MOST_ENTRIES = 64
MOST_BYTES = 512 * 2**20


def read_archive(archive: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The content of the wanted files of a .tar.gz, by file name without folder.

    Raises:
        SourceError: the archive is damaged, exceeds the limits, contains a link or a device, or does not
            contain each wanted file exactly once.
    """
    try:
        with tarfile.open(archive, mode="r|gz", tarinfo=BoundedEntry) as stream:
            found = read_entries(stream, wanted)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise SourceError(f"{archive.name} is truncated or damaged ({error})") from error
    return require_all_files(archive, wanted, found)


def read_entries(stream: tarfile.TarFile, wanted: Collection[str]) -> dict[str, bytes]:
    """The wanted files of an open archive, read in one pass.

    Raises:
        SourceError: as in `read_archive`.
    """
    found: dict[str, bytes] = {}
    total = 0
    for count, entry in enumerate(stream, start=1):
        total += entry.size
        if count > MOST_ENTRIES or total > MOST_BYTES:
            raise SourceError(f"the archive holds more than {MOST_ENTRIES} entries or {MOST_BYTES} bytes")
        if not (entry.isfile() or entry.isdir()):
            raise SourceError(f"the archive holds a link or a device, '{entry.name}'")
        name = PurePosixPath(entry.name).name
        if entry.isfile() and name in wanted:
            if name in found:
                raise SourceError(f"the archive holds '{name}' twice")
            file = stream.extractfile(entry)
            found[name] = file.read() if file else b""
    return found


def read_folder(folder: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The content of the wanted files of an unpacked archive, by name.

    Raises:
        SourceError: a file is missing or unreadable, or together they exceed the limit of an archive.
    """
    try:
        present = {name: folder / name for name in wanted if (folder / name).is_file()}
        if sum(path.stat().st_size for path in present.values()) > MOST_BYTES:
            raise SourceError(f"{folder} holds more than {MOST_BYTES} bytes")
        found = {name: path.read_bytes() for name, path in present.items()}
    except OSError as error:
        raise SourceError(f"{folder} cannot be read ({error})") from error
    return require_all_files(folder, wanted, found)


def require_all_files(place: Path, wanted: Collection[str], found: dict[str, bytes]) -> dict[str, bytes]:
    """The files that were found, if none is missing.

    Raises:
        SourceError: a file is missing.
    """
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise SourceError(f"{place} lacks {', '.join(missing)}")
    return found
