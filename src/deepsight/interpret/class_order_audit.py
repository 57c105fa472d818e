"""The class order audit: are the outputs of the model in the order of the data's classes?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import confusion_counts
from deepsight.core.statistics.significance import discordance_p

ALARM = 0.001  # probability of a false alarm for one group of exchanged classes
GOOD = 0.5  # recall that exchanged classes must reach under their new names
UNITS = {
    "class": "class name in the data",
    "output": "class whose output fits it best",
    "n": "images",
    "recall": "share found under the given order, 0 to 1",
    "recall_reordered": "share found if the outputs are reordered, 0 to 1",
    "exchanged": "whether the order is probably wrong here, true or false",
}


@dataclass(frozen=True)
class ClassOrderAudit:
    """The outcome of an audit.

    Attributes:
        table: the evidence table `class_order_audit`.
        order: int64 (k,), the output that fits each class; 0 to k - 1 where nothing is exchanged.
        warning: a sentence that names the exchanged classes, or None.
    """

    table: Table
    order: Ints
    warning: str | None


def audit_class_order(labels: Ints, predicted: Ints, classes: Sequence[str]) -> ClassOrderAudit:
    """Look for classes whose outputs are exchanged: the confusion matrix is then a permuted good one.

    The best assignment of outputs to classes is taken apart into its cycles. A cycle counts if its classes
    are found better under the exchange than chance allows, and well enough to belong to a model that works.

    Args:
        labels, predicted: int64 (n,).
        classes: k names.
    """
    counts = confusion_counts(labels, predicted, len(classes))
    _, assigned = linear_sum_assignment(counts, maximize=True)
    order = np.arange(len(classes))
    for cycle in cycles(assigned):
        if exchanged(counts, cycle, assigned):
            order[cycle] = assigned[cycle]
    sizes = np.maximum(counts.sum(axis=1), 1)
    frame = pl.DataFrame(
        {
            "class": list(classes),
            "output": [classes[int(c)] for c in order],
            "n": counts.sum(axis=1),
            "recall": np.diagonal(counts) / sizes,
            "recall_reordered": counts[np.arange(len(classes)), order] / sizes,
            "exchanged": order != np.arange(len(classes)),
        }
    )
    warning = exchange_warning(order, classes, counts)
    method = "Best assignment of outputs to classes (Hungarian method); each cycle of it by McNemar's test."
    caption = warning or "The outputs are in the order of the data's classes, as far as the answers tell."
    return ClassOrderAudit(Table(frame, UNITS, len(labels), method, caption), order.astype(np.int64), warning)


def cycles(assigned: NDArray[np.integer]) -> list[Ints]:
    """The cycles of a permutation that move something."""
    left, found = set(range(len(assigned))), []
    while left:
        cycle = [min(left)]
        while (after := int(assigned[cycle[-1]])) != cycle[0]:
            cycle.append(after)
        left -= set(cycle)
        if len(cycle) > 1:
            found.append(np.array(cycle, dtype=np.int64))
    return found


def exchanged(counts: Ints, cycle: Ints, assigned: NDArray[np.integer]) -> bool:
    """Whether the classes of a cycle are found under the exchange, and not without it."""
    under, plain = int(counts[cycle, assigned[cycle]].sum()), int(counts[cycle, cycle].sum())
    enough = under >= GOOD * counts[cycle].sum()
    return bool(enough and under > plain and discordance_p(plain, under) <= ALARM)


def exchange_warning(order: NDArray[np.integer], classes: Sequence[str], counts: Ints) -> str | None:
    """Which classes are exchanged, what may be the cause, and what to do."""
    moved = np.flatnonzero(order != np.arange(len(order)))
    if not len(moved):
        return None
    before = np.diagonal(counts).sum() / counts.sum()
    after = counts[np.arange(len(order)), order].sum() / counts.sum()
    pairs = "; ".join(f"'{classes[c]}' is answered as '{classes[order[c]]}'" for c in moved[:6])
    more = f"; and {len(moved) - 6} more" if len(moved) > 6 else ""
    outputs = [""] * len(classes)
    for c, output in enumerate(order):
        outputs[output] = classes[c]
    cause = (
        " That is the alphabetical order, in which torchvision's ImageFolder numbers classes."
        if outputs == sorted(classes)
        else ""
    )
    return (
        f"The outputs are probably in another order than the data's classes: {pairs}{more}. In the right "
        f"order the accuracy would be {after:.1%}, not {before:.1%}.{cause} State the order of the outputs: "
        f"--classes {','.join(outputs)}"
    )


def columns_of_names(outputs: Sequence[str], classes: Sequence[str]) -> Ints | None:
    """The output of each class by its name, int64 (k,), or None where a class has none or several."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(outputs):
        for word in {plain(part) for part in (name, *name.split(","))}:
            places.setdefault(word, []).append(place)
    found = [places.get(plain(name), []) for name in classes]
    if any(len(where) != 1 for where in found):
        return None
    columns = np.array([where[0] for where in found], dtype=np.int64)
    return columns if len(np.unique(columns)) == len(columns) else None


def plain(name: str) -> str:
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
