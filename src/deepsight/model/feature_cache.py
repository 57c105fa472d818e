"""A folder of cached views: where they are, how much room they take, and whether a file can be trusted.

A file is trusted if it has the digest stored beside it; one that a killed process left behind, or that a disk
has damaged, is computed again.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepsight.core.errors import DeepSightError, TransientError
from deepsight.core.files.atomic import file_digest, remove_leftovers
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.progress import Log, silent


@dataclass(frozen=True)
class FeatureCache:
    """Where cached views are stored and how much room they may take.

    Attributes:
        folder: contains one folder per key.
        limit: in bytes; the least recently used views are removed first.
        log: receives a message when a damaged view is computed again.
    """

    folder: Path
    limit: int = 6_000_000_000
    log: Log = silent

    def path(self, key: str, view: int) -> Path:
        """The file of one view; it exists only when it is complete."""
        return self.folder / key / f"view-{view}.npy"

    def make_room(self, needed: int) -> None:
        """Remove old views until `needed` bytes fit below the limit.

        Raises:
            DeepSightError: the view is larger than the limit, or the disk has no room for it.
        """
        if needed > self.limit:
            raise DeepSightError(
                f"Expected cached maps of at most {self.limit / 1e6:.0f} MB a view, but these need "
                f"{needed / 1e6:.0f} MB. Choose a lower --resolution or fewer rows: --train-limit."
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        remove_leftovers(self.folder)
        views = sorted(self.views())
        used = sum(size for _, size, _ in views)
        for _, size, path in views:
            if used + needed <= self.limit and needed < shutil.disk_usage(self.folder).free:
                return
            used -= size
            self.remove(path)
        free = shutil.disk_usage(self.folder).free
        if needed >= free:
            raise TransientError(
                f"Expected {needed / 1e6:.0f} MB of room for cached maps in {self.folder}, "
                f"found {free / 1e6:.0f} MB. "
                "Free some space, or set DEEPSIGHT_CACHE to a folder on a larger disk."
            )

    def views(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, size in bytes and file of each view, without views that vanish meanwhile."""
        for path in self.folder.glob("*/view-*.npy"):
            with suppress(OSError):
                about = path.stat()
                yield about.st_mtime, about.st_size, path

    def remove(self, path: Path) -> None:
        """Remove a view and its digest, which another process may have removed already."""
        for file in (path, digest_file(path)):
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def holds(self, path: Path) -> bool:
        """Whether a view exists and matches its digest."""
        try:
            return digest_file(path).read_text(encoding="ascii") == file_digest(path)
        except (OSError, ValueError):
            return False


def digest_file(path: Path) -> Path:
    """The file with the digest of a view."""
    return path.with_suffix(".blake2b")
