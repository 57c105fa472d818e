"""The data of a study: labelled images, split into train, validation and test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.groups import joined_groups

Names = NDArray[np.object_]  # text per image, such as the path of its file
OPTIONAL_COLUMNS = ("files", "groups", "metadata")


@runtime_checkable
class Images(Protocol):
    """Anything that holds pixels: an array, a memory map, or a lazy view indexed by an array of rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Any: ...


class SelectedImages:
    """A lazy selection of rows from images that may be larger than memory."""

    def __init__(self, images: Images, rows: NDArray[np.int64]) -> None:
        self._images = images
        self._rows = rows
        self.shape: tuple[int, ...] = (len(rows), *images.shape[1:])
        self.dtype: np.dtype[Any] = images.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> Any:
        return self._images[self._rows[rows]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        # NumPy requires `copy` in the signature; gathering the pixels always makes a copy.
        return np.asarray(self._images[self._rows], dtype=dtype)

    def select(self, rows: NDArray[np.int64]) -> "SelectedImages":
        """These rows of the selection, read straight from the original images."""
        return SelectedImages(self._images, self._rows[rows])


class JoinedImages:
    """The images of several parts in order, read lazily. All images must have the same height and width."""

    def __init__(self, parts: Sequence[Images]) -> None:
        shapes = {tuple(part.shape[1:]) for part in parts}
        if len(shapes) > 1:
            raise DeepSightError(f"Expected images of one shape in all parts, received {sorted(shapes)}.")
        self._parts = list(parts)
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        self.shape: tuple[int, ...] = (int(self._starts[-1]), *parts[0].shape[1:])
        self.dtype: np.dtype[Any] = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        wanted = np.arange(len(self))[rows]
        flat = np.atleast_1d(wanted)
        images = np.empty((len(flat), *self.shape[1:]), self.dtype)
        for part, start, stop in zip(self._parts, self._starts, self._starts[1:], strict=False):
            here = (flat >= start) & (flat < stop)
            if here.any():
                images[here] = part[flat[here] - start]
        return images if wanted.ndim else images[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        # NumPy requires `copy` in the signature; gathering the pixels always makes a copy.
        return np.asarray(self[:], dtype=dtype)


@dataclass(frozen=True)
class Dataset:
    """Labelled images of one split, in a fixed order.

    Attributes:
        images: uint8, (n, h, w, 3), RGB.
        labels: int64, (n,), positions in `classes`.
        classes: names of the k classes, unique, at least two.
        ids: int64, (n,), the row of each image in the official order of `source`, unique.
        source: the official part that the rows come from, such as "train" or "test".
        files: object (n,), the file, URL, or shard and row of each image; None where images have no names.
        groups: int64 (n,), which images belong together, such as those of one patient; None where unknown.
            A number means the same group in all parts of a data set.
        metadata: further columns, one row per image; None where there are none.
    """

    images: Images
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    ids: NDArray[np.int64]
    source: str
    files: Names | None = None
    groups: Ints | None = None
    metadata: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        n = len(self.labels)
        shape = tuple(self.images.shape)
        if len(shape) != 4 or shape[0] != n or shape[3] != 3 or self.images.dtype != np.uint8:
            raise DeepSightError(
                f"Expected images as uint8 of shape ({n}, h, w, 3), "
                f"received {self.images.dtype} of shape {shape}."
            )
        if self.labels.shape != (n,) or self.labels.dtype != np.int64:
            raise DeepSightError(
                f"Expected labels as int64 (n,), received {self.labels.dtype} {self.labels.shape}."
            )
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise DeepSightError(f"Expected at least two distinct class names, received {self.classes}.")
        if n and not (self.labels.min() >= 0 and self.labels.max() < len(self.classes)):
            raise DeepSightError(
                f"Expected labels in 0 to {len(self.classes) - 1}, "
                f"received {self.labels.min()} to {self.labels.max()}."
            )
        if self.ids.shape != (n,) or self.ids.dtype != np.int64 or len(np.unique(self.ids)) != n:
            raise DeepSightError("Expected ids as n distinct int64 row numbers.")
        for name, column in (("files", self.files), ("groups", self.groups), ("metadata", self.metadata)):
            if column is not None and len(column) != n:
                raise DeepSightError(f"Expected {name} of {n} images, received {len(column)} rows.")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def k(self) -> int:
        """The number of classes."""
        return len(self.classes)

    def select(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Dataset":
        """The images at these positions, in this order, or where a bool mask (n,) is true.

        Pixels are not copied.
        """
        given = np.asarray(rows)
        at = np.flatnonzero(given) if given.dtype == np.bool_ else given.astype(np.int64)
        images = (
            self.images.select(at)
            if isinstance(self.images, SelectedImages)
            else SelectedImages(self.images, at)
        )
        return replace(
            self,
            images=cast(Images, images),
            labels=self.labels[at],
            ids=self.ids[at],
            files=None if self.files is None else self.files[at],
            groups=None if self.groups is None else self.groups[at],
            metadata=None if self.metadata is None else self.metadata[at],
        )

    def pixels(self, rows: Any = slice(None)) -> NDArray[np.uint8]:
        """The pixels of these rows as an array in memory, uint8 (n, h, w, 3)."""
        return np.asarray(self.images[rows], dtype=np.uint8)

    def with_labels(self, labels: NDArray[np.int64]) -> "Dataset":
        """The same images with other labels."""
        return replace(self, labels=labels)


@dataclass(frozen=True)
class Splits:
    """Train, validation and test of one data set: the same classes in all, and no image in two of them."""

    train: Dataset
    validation: Dataset
    test: Dataset

    def __post_init__(self) -> None:
        parts = self.named()
        for name, part in parts.items():
            if part.classes != self.train.classes:
                raise DeepSightError(
                    f"Expected the classes of train {self.train.classes} in {name}, received {part.classes}."
                )
        names = list(parts)
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                require_disjoint(a, parts[a], b, parts[b])

    def named(self) -> dict[str, Dataset]:
        """The splits by the names that the run folder uses: train, val, test."""
        return {"train": self.train, "val": self.validation, "test": self.test}

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes


def require_disjoint(name_a: str, a: Dataset, name_b: str, b: Dataset) -> None:
    """Refuse two splits that share a row of the same source."""
    if a.source != b.source:
        return
    shared = np.intersect1d(a.ids, b.ids)
    if len(shared):
        raise DeepSightError(
            f"Expected no row in both {name_a} and {name_b}, "
            f"received {len(shared)} shared rows of '{a.source}', the first {int(shared[0])}."
        )


def class_counts(labels: NDArray[np.int64], classes: Sequence[str]) -> NDArray[np.int64]:
    """Images per class, int64 (k,)."""
    return np.bincount(labels, minlength=len(classes)).astype(np.int64)


def positions_of_ids(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The position of each wanted id in `ids`, int64 (m,).

    Raises:
        DeepSightError: an id is not among them.
    """
    order = np.argsort(ids, kind="stable")
    found = np.searchsorted(ids, wanted, sorter=order)
    known = found < len(ids)
    known[known] = ids[order[found[known]]] == np.asarray(wanted)[known]
    if not known.all():
        raise DeepSightError(
            f"Expected ids of this data set, received {int((~known).sum())} others, "
            f"the first {int(np.asarray(wanted)[~known][0])}."
        )
    return np.asarray(order[found], dtype=np.int64)


def select_ids(data: Dataset, ids: NDArray[np.int64]) -> Dataset:
    """The images with these ids, in the order of the ids."""
    return data.select(positions_of_ids(data.ids, ids))


def join_datasets(parts: Sequence[Dataset], source: str) -> Dataset:
    """Several parts of a data set as one.

    Parts of one source keep their ids and are sorted by them. Parts of several sources stay in their order
    and get new ids from 0. Files and metadata are kept where every part has them, groups where some part has:
    images of the others stand alone.

    Args:
        parts: at least one.
        source: the name of the result where the parts come from several sources.

    Raises:
        DeepSightError: the parts have different classes, or images of different shapes.
    """
    first = parts[0]
    if any(part.classes != first.classes for part in parts):
        raise DeepSightError("Expected the same classes in all parts that are joined.")
    ids = np.concatenate([part.ids for part in parts])
    one_source = len({part.source for part in parts}) == 1
    files, groups, metadata = ([getattr(part, name) for part in parts] for name in OPTIONAL_COLUMNS)
    joined = Dataset(
        images=cast(Images, JoinedImages([part.images for part in parts])),
        labels=np.concatenate([part.labels for part in parts]),
        classes=first.classes,
        ids=ids if one_source else np.arange(len(ids)),
        source=first.source if one_source else source,
        files=None if any(f is None for f in files) else np.concatenate(files),
        groups=joined_groups(groups, [len(part) for part in parts]),
        metadata=None if any(m is None for m in metadata) else pl.concat(metadata, how="diagonal_relaxed"),
    )
    return joined.select(np.argsort(ids, kind="stable")) if one_source else joined
