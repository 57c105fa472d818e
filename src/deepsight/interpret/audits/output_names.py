"""Which output belongs to which class: by the names of the outputs, or by what a background class does."""

from collections.abc import Sequence

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.statistics.mcnemar import discordance_p
from deepsight.interpret.audits.class_order import ALARM


def columns_of_names(outputs: Sequence[str], classes: Sequence[str]) -> Ints | None:
    """The output of each class by its name, int64 (k,), or None where a class has none or several."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(outputs):
        for word in {letters_and_digits(part) for part in (name, *name.split(","))}:
            places.setdefault(word, []).append(place)
    found = [places.get(letters_and_digits(name), []) for name in classes]
    if any(len(where) != 1 for where in found):
        return None
    columns = np.array([where[0] for where in found], dtype=np.int64)
    return columns if len(np.unique(columns)) == len(columns) else None


def letters_and_digits(name: str) -> str:
    """A name without case, spaces and signs that people write in different ways."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def background_column(first_dropped: Ints, last_dropped: Ints, labels: Ints) -> str | None:
    """Which output of k + 1 is the background class: "first", "last", or None where the answers do not tell.

    Args:
        first_dropped, last_dropped: int64 (n,), the answers without the first and without the last output.
        labels: int64 (n,).
    """
    first, last = first_dropped == labels, last_dropped == labels
    a, b = int((first & ~last).sum()), int((last & ~first).sum())
    if discordance_p(a, b) > ALARM:
        return None
    return "first" if a > b else "last"
