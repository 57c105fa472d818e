"""Labels of a data set of the `datasets` library, mapped by name, since parts may number them differently."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.obtain.readers.label_values import label_or_none, positions_of_labels
from deepsight.obtain.skipped_items import PassedOver

NEEDED = ("train", "all")  # parts without which there is nothing to learn from


def labels_and_classes(
    parts: Mapping[str, Any], label: str, passed_over: PassedOver, log: Log
) -> tuple[dict[str, Ints], tuple[str, ...]]:
    """The labels of each part as positions in the classes, -1 for a missing one, and the classes.

    Labels with names are mapped by name. The classes are those of the first part, followed by what other
    parts add. A part without any label is counted as unused.

    Raises:
        DeepSightError: labels are lists or not whole numbers, or have no name.
    """
    values = {part: labels_of_part(data, part, label) for part, data in parts.items()}
    for part in [part for part, column in values.items() if not any(v is not None for v in column)]:
        if part in NEEDED:
            raise DeepSightError(f"Expected labels in the column '{label}'{in_part(part)}, received none.")
        passed_over.add("parts without a single label", part, 1)
        del values[part]
    names = {part: label_names(parts[part], label) for part in values}
    listed = [name for given in names.values() for name in given or ()]
    if not listed:
        everything = [value for column in values.values() for value in column]
        require_one_kind(everything, label)
        plain = {part: positions_of_labels(column, among=everything) for part, column in values.items()}
        return {part: positions for part, (positions, _) in plain.items()}, next(iter(plain.values()))[1]
    classes = tuple(dict.fromkeys(listed))
    place = {name: i for i, name in enumerate(classes)}
    for part in [part for part, given in names.items() if given is None]:
        log(f"The labels of {part} have no names; the names of the other parts are used.")
    return {
        part: np.array(
            [
                -1 if v is None else place[name_of_label(v, names[part] or classes, part, label)]
                for v in column
            ],
            dtype=np.int64,
        )
        for part, column in values.items()
    }, classes


def label_names(data: Any, label: str) -> tuple[str, ...] | None:
    """The names of a part's numbered labels; None if it has none."""
    names = getattr(data.features[label], "names", None)
    return tuple(names) if names else None


def labels_of_part(data: Any, part: str, label: str) -> list[Any]:
    """The labels of a part: text or whole numbers, None for a missing label or -1.

    Raises:
        DeepSightError: a label is neither.
    """
    values = [None if isinstance(v, float) and np.isnan(v) else v for v in data[label]]
    wrong = next((v for v in values if v is not None and not is_label(v)), None)
    if wrong is not None:
        raise DeepSightError(
            f"Expected one label per image in the column '{label}'{in_part(part)}, as text or a whole "
            f"number, received {wrong!r}. DeepSight studies classifiers with one class per image."
        )
    plain = [int(v) if isinstance(v, (bool, float, np.floating)) else v for v in values]
    return [label_or_none(value) for value in plain]


def in_part(part: str) -> str:
    """The part in a sentence; empty if it is the only one."""
    return "" if part == "all" else f" of {part}"


def is_label(value: Any) -> bool:
    """Whether a value is text or a whole number of any type."""
    if isinstance(value, (float, np.floating)):
        return float(value).is_integer()
    return isinstance(value, (str, int, np.integer))


def name_of_label(value: Any, names: tuple[str, ...], part: str, label: str) -> str:
    """The name of a label.

    Raises:
        DeepSightError: the label is a number without a name, or a text that is not a name.
    """
    if isinstance(value, str):
        found = value if value in names else None
    else:
        found = names[value] if 0 <= value < len(names) else None
    if found is None:
        raise DeepSightError(
            f"Expected labels of '{label}'{in_part(part)} among the {len(names)} names {list(names)[:12]}, "
            f"received {value!r}."
        )
    return found


def require_one_kind(values: list[Any], label: str) -> None:
    """Refuse labels that are text in one part and numbers in another.

    Raises:
        DeepSightError: they are.
    """
    if len({isinstance(value, str) for value in values if value is not None}) > 1:
        raise DeepSightError(f"Expected labels of '{label}' as text or as numbers, received both.")
