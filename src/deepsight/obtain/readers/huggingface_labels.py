"""Labels of a data set of the `datasets` library: by name, never by position where names differ."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.obtain.passed_over import PassedOver
from deepsight.obtain.readers.labels import label_or_none, positions_of_labels

NEEDED = ("train", "all")  # parts without which there is nothing to learn from


def labels_and_classes(
    parts: Mapping[str, Any], label: str, passed_over: PassedOver, log: Log
) -> tuple[dict[str, Ints], tuple[str, ...]]:
    """The labels of each part as positions in the classes, -1 where there is none, and the classes.

    A part that names its labels is read by these names; the classes are those of the first part, then what
    other parts add. A part without a single label is noted and left out.

    Raises:
        DeepSightError: labels are lists or no whole numbers, or lie outside of their names.
    """
    values = {part: label_values(data, part, label) for part, data in parts.items()}
    for part in [part for part, column in values.items() if not any(v is not None for v in column)]:
        if part in NEEDED:
            raise DeepSightError(f"Expected labels in the column '{label}'{of_part(part)}, received none.")
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
        log(f"The labels of {part} have no names; they are read by the names of the other parts.")
    return {
        part: np.array(
            [-1 if v is None else place[name_of(v, names[part] or classes, part, label)] for v in column],
            dtype=np.int64,
        )
        for part, column in values.items()
    }, classes


def label_names(data: Any, label: str) -> tuple[str, ...] | None:
    """The names that a part gives to its numbers; None where it has none."""
    names = getattr(data.features[label], "names", None)
    return tuple(names) if names else None


def label_values(data: Any, part: str, label: str) -> list[Any]:
    """The labels of a part: text or whole numbers, None where there is none or the number is -1."""
    values = [None if isinstance(v, float) and np.isnan(v) else v for v in data[label]]
    wrong = next((v for v in values if v is not None and not is_label(v)), None)
    if wrong is not None:
        raise DeepSightError(
            f"Expected one label per image in the column '{label}'{of_part(part)}, as text or a whole "
            f"number, received {wrong!r}. DeepSight studies classifiers with one class per image."
        )
    plain = [int(v) if isinstance(v, (bool, float, np.floating)) else v for v in values]
    return [label_or_none(value) for value in plain]


def of_part(part: str) -> str:
    """How a sentence names a part; not at all where it is all there is."""
    return "" if part == "all" else f" of {part}"


def is_label(value: Any) -> bool:
    """Whether a value is text or a whole number, whatever type it is stored as."""
    if isinstance(value, (float, np.floating)):
        return float(value).is_integer()
    return isinstance(value, (str, int, np.integer))


def name_of(value: Any, names: tuple[str, ...], part: str, label: str) -> str:
    """The name of a label.

    Raises:
        DeepSightError: the label is a number beyond the names, or a text that is none of them.
    """
    if isinstance(value, str):
        found = value if value in names else None
    else:
        found = names[value] if 0 <= value < len(names) else None
    if found is None:
        raise DeepSightError(
            f"Expected labels of '{label}'{of_part(part)} among the {len(names)} names {list(names)[:12]}, "
            f"received {value!r}."
        )
    return found


def require_one_kind(values: list[Any], label: str) -> None:
    """Refuse a column of labels that are text in one part and numbers in another."""
    if len({isinstance(value, str) for value in values if value is not None}) > 1:
        raise DeepSightError(f"Expected labels of '{label}' as text or as numbers, received both.")
