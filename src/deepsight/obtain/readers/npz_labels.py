"""The labels in an .npz file, as positions in the classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.obtain.readers.label_values import label_or_none, plain_label, positions_of_labels

CLASSES = ("classes", "class_names", "target_names", "label_names")


def labels_of_file(file: Any, keys: Mapping[str, tuple[str, str]]) -> tuple[dict[str, Ints], tuple[str, ...]]:
    """The labels of each part as positions in the classes, -1 for a missing one, and the classes."""
    given = {part: flat_labels(file[labels], labels) for part, (_, labels) in keys.items()}
    if stored := next((name for name in CLASSES if name in file.files), None):
        classes = class_list(file[stored])
        return {part: positions_in(labels, classes) for part, labels in given.items()}, classes
    kinds = {labels.dtype.kind == "U" for labels in given.values()}
    if len(kinds) > 1:
        raise ValueError("the labels of one part are text and those of another are numbers")
    lists = {part: unlabelled_as_none(labels) for part, labels in given.items()}
    everything = [value for labels in lists.values() for value in labels]
    named = {part: positions_of_labels(labels, among=everything) for part, labels in lists.items()}
    return {part: positions for part, (positions, _) in named.items()}, next(iter(named.values()))[1]


def unlabelled_as_none(labels: NDArray[Any]) -> list[Any]:
    """Labels as a list, None for an unlabelled image."""
    return [label_or_none(value) for value in labels.tolist()]


def class_list(array: NDArray[Any]) -> tuple[str, ...]:
    """The names of the classes.

    Raises:
        ValueError: they are not a list of distinct names.
    """
    if array.ndim != 1:
        raise ValueError(f"classes are of shape {array.shape}, expected a list of names (k,)")
    given = [value.decode() if isinstance(value, bytes) else str(value) for value in array.tolist()]
    names = tuple(map(plain_label, given))
    if len(set(names)) < len(names) or "" in names:
        raise ValueError(f"classes are {list(names)}, expected different names, none of them empty")
    return names


def flat_labels(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Labels (n,) or (n, 1) as (n,): text, or whole numbers, which may be stored as floats.

    Raises:
        ValueError: they have another shape or type.
    """
    if labels.ndim == 0 or labels.size != len(labels):
        hint = "; one-hot rows become labels with argmax(axis=1)" if labels.ndim == 2 else ""
        raise ValueError(f"{name} are of shape {labels.shape}, expected one label per image (n,){hint}")
    labels = labels.reshape(-1)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if labels.dtype.kind == "f":
        labels = np.where(np.isnan(labels), -1, labels)
    if labels.dtype.kind == "b" or (labels.dtype.kind == "f" and are_whole_numbers(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iuU":
        raise ValueError(f"{name} are {labels.dtype} {labels.shape}, expected whole numbers or text (n,)")
    if labels.dtype.kind == "i" and labels.min(initial=0) < -1:
        raise ValueError(
            f"{name} are {labels.dtype} from {labels.min()} to {labels.max()}, expected numbers from 0 "
            "(-1 marks an image without a label)"
        )
    return labels


def are_whole_numbers(values: NDArray[Any]) -> bool:
    """Whether all values are whole numbers."""
    return bool((np.asarray(values, dtype=np.float64) % 1 == 0).all())


def positions_in(labels: NDArray[Any], classes: tuple[str, ...]) -> Ints:
    """Labels as positions in the classes: text by name, numbers as they are; -1 for a missing label.

    Raises:
        ValueError: a text is not a class name, or a number is out of range.
    """
    if labels.dtype.kind == "U":
        labels = np.array([plain_label(name) for name in labels.tolist()])
        place = {name: i for i, name in enumerate(classes)} | {"": -1}
        unknown = sorted(set(labels.tolist()) - set(place))
        if unknown:
            raise ValueError(f"labels {unknown[:5]} are not among the classes {list(classes)[:12]}")
        return np.array([place[name] for name in labels.tolist()], dtype=np.int64)
    if labels.max(initial=0) >= len(classes):
        shifted = "; they seem to start at 1" if (labels.min(), labels.max()) == (1, len(classes)) else ""
        raise ValueError(
            f"labels from {labels.min()} to {labels.max()} beside {len(classes)} classes, expected positions "
            f"from 0 to {len(classes) - 1}{shifted}"
        )
    return labels.astype(np.int64)
