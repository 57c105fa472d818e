"""What a source holds but a study does not use, counted and reported."""

from collections.abc import Iterable, Sequence
from typing import Any

from deepsight.core.progress import Log

NO_LABEL = "it has no label"  # why a file is set aside
NO_LABELS = "images without a label"  # what is not used of arrays
LATER_FRAMES = "frames or pages after the first, in files with several"


class PassedOver:
    """Counts unused items by kind, and keeps the name of the first of each kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, kind: str, name: str, n: int = 1) -> None:
        """Count n items of a kind, such as "unreadable folders"; `name` is that of the first."""
        self._counts[kind] = self._counts.get(kind, 0) + n
        self._first.setdefault(kind, name)

    def add_all(self, kind: str, names: Iterable[str]) -> None:
        """Count these items as one kind."""
        for name in names:
            self.add(kind, name)

    def records(self) -> list[dict[str, Any]]:
        """The entries of `data.json`: {"what", "n", "first"}, in the order of their first occurrence."""
        return [{"what": kind, "n": n, "first": self._first[kind]} for kind, n in self._counts.items()]

    def tell(self, log: Log) -> None:
        """Log one line per kind."""
        for record in self.records():
            log(f"Not used: {record['what']} ({record['n']:,}), the first: {record['first']}.")


def first_few(items: Sequence[str], *, most: int = 5) -> str:
    """The first few items of a list, and the number of the others."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
