"""The class order audit: are the outputs of the model in the order of the data's classes?"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import confusion_counts
from deepsight.core.statistics.mcnemar import discordance_p
from deepsight.interpret.audits.audit import Audit

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


def audit_class_order(labels: Ints, predicted: Ints, classes: Sequence[str]) -> Audit[Ints]:
    """Look for classes whose outputs are exchanged: the confusion matrix is then a permuted good one.

    The best assignment of outputs to classes is taken apart into its cycles. A cycle counts if its classes
    are found better under the exchange than chance allows, and well enough to belong to a model that works.

    Args:
        labels, predicted: int64 (n,).
        classes: k names.

    Returns:
        The table `class_order_audit`, and the output that fits each class, int64 (k,): 0 to k - 1 where
        nothing is exchanged.
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
    caption = warning or "As far as its answers show, the outputs are in the order of the data's classes."
    return Audit(Table(frame, UNITS, len(labels), method, caption), order.astype(np.int64), warning)


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
