"""What a source holds and the study does not use: counted, and said once."""

from collections.abc import Iterable, Sequence
from typing import Any

from deepsight.core.progress import Log

NO_LABEL = "it has no label"  # why a file is set aside
NO_LABELS = "images without a label"  # what is not used of arrays
LATER_FRAMES = "frames or pages after the first, in files with several"


class PassedOver:
    """Counts what is not used, by kind, and keeps the first of each."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, kind: str, name: str, n: int = 1) -> None:
        """Note n things of a kind, such as "unreadable folders"; the first of them has this name."""
        self._counts[kind] = self._counts.get(kind, 0) + n
        self._first.setdefault(kind, name)

    def add_all(self, kind: str, names: Iterable[str]) -> None:
        """Note things of one kind."""
        for name in names:
            self.add(kind, name)

    def records(self) -> list[dict[str, Any]]:
        """What `data.json` says: {"what", "n", "first"}, in the order in which they were met."""
        return [{"what": kind, "n": n, "first": self._first[kind]} for kind, n in self._counts.items()]

    def tell(self, log: Log) -> None:
        """One line per kind."""
        for record in self.records():
            log(f"Not used: {record['what']} ({record['n']:,}), the first: {record['first']}.")


def first_few(items: Sequence[str], *, most: int = 5) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
