"""Usual orders of classes in other programs: does one of them fit far better than the data's own?"""

import re
from collections.abc import Sequence

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.statistics.mcnemar import more_often
from deepsight.images.captions import without_accents

ALARM = 0.001  # probability of a false alarm, for each order
NUMBERS = re.compile(r"(\d+)")


def usual_orders(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The usual orders of these classes that differ from the given one, by their rule."""
    orders = {
        "numbers by value": sorted(classes, key=by_value),
        "ignoring case": sorted(classes, key=str.casefold),
        "whole paths": sorted(classes, key=lambda name: f"{name}/"),
        "letters without accents": sorted(classes, key=lambda name: without_accents(name).casefold()),
        "the alphabet": sorted(classes),
    }
    return {why: tuple(order) for why, order in orders.items() if tuple(order) != tuple(classes)}


def by_value(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts numbers in names by their value: 2 before 10."""
    parts = NUMBERS.split(name)
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part]


def require_no_better_order(chosen: Ints, data: Dataset) -> None:
    """Refuse predictions that are correct far more often if the classes are in another usual order.

    Args:
        chosen: int64 (n,), the positions of the predicted classes.
        data: the images, with their labels.

    Raises:
        UsageError: by McNemar's test, another order fits better, or numeric class names are positions.
    """
    right = chosen == data.labels
    place = {name: i for i, name in enumerate(data.classes)}
    for why, order in usual_orders(data.classes).items():
        meant = np.array([place[name] for name in order])
        in_order, as_positions = meant[chosen] == data.labels, np.argsort(meant)[chosen] == data.labels
        if more_often(in_order, right, alarm=ALARM):
            fits = f"{in_order.mean():.1%} in the order {list(order)[:12]} ({why})"
        elif more_often(as_positions, right, alarm=ALARM):
            fits = f"{as_positions.mean():.1%} if the numbers are positions in this order, not names"
        else:
            continue
        raise UsageError(
            f"Expected the classes in the order {list(data.classes)[:12]}; read so, {right.mean():.1%} of "
            f"{len(data)} predictions are correct, but {fits}. Name the columns or the predictions by class: "
            "an array classes in the .npz, or a table with a column for each class."
        )
