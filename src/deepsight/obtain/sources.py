"""Where data may come from: an ordered list of sources, of which the first that proves itself is used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.dataset import Dataset, Images, Names, join_datasets
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log


@dataclass(frozen=True)
class Part:
    """The decoded images of one official part, in the official order.

    Attributes:
        images: uint8 (n, h, w, 3), RGB; an array or a memory map.
        labels: int64 (n,), positions in the class names.
        files: (n,), the file, URL, or shard and row of each image; None where images have no names.
        digests: uint8 (n, 16), BLAKE2b of each file, or of the pixels where there are no files; None where
            the part is proved as a whole.
        groups: (n,), the name of the group of each image, "" where it has none.
        metadata: further columns, one row per image.
    """

    images: Images
    labels: Ints
    files: Names | None = None
    digests: NDArray[np.uint8] | None = None
    groups: Names | None = None
    metadata: pl.DataFrame | None = None


Parts = Mapping[str, Part]


@dataclass(frozen=True)
class Obtained:
    """A data set as it came.

    Attributes:
        train: the official training part, or what is left when a test part was held out.
        test: the official test part, or a stratified fifth held out with seed 0.
        record: what `data.json` says: name, source, digests, counts, what was set aside and passed over.
        validation: the official validation part, where there is one.
        digests: uint8 (n, 16) by source, the digest of each image by its id; empty where the data is proved
            as a whole.
        listed: by source, the name of every item that was listed, in order, also of those that could not be
            read; empty where items have no names.
        taken: by source, the time of exposure of each image by its id, in seconds, NaN where none is noted;
            empty where images have no such notes.
    """

    train: Dataset
    test: Dataset
    record: Mapping[str, Any]
    validation: Dataset | None = None
    digests: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taken: Mapping[str, Floats] = field(default_factory=dict)

    def named(self) -> dict[str, Dataset]:
        """The parts that there are, by the names that the run folder uses: train, val, test."""
        parts = {"train": self.train, "val": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def split(self, name: str) -> Dataset:
        """The part of this name, or for "all" every image.

        Raises:
            UsageError: there is no such part.
        """
        parts = self.named()
        if name == "all":
            return join_datasets(list(parts.values()), "all")
        if name not in parts:
            known = ", ".join([*parts, "all"])
            raise UsageError(f"Expected a split of {self.record['data']}, received '{name}'; known: {known}.")
        return parts[name]


class SourceError(Exception):
    """Why a source gave nothing, in one line."""


class SourceSkipped(SourceError):
    """Why a source was not tried: nobody asked for it, or it needs the network and `--offline` is set."""


@dataclass(frozen=True)
class Source:
    """One way to get the data.

    Attributes:
        name: as the record and the screen show it.
        fetch: gives proven parts, or raises `SourceError`.
        remedy: what a user does to make this source work.
    """

    name: str
    fetch: Callable[[], Parts]
    remedy: str


@dataclass(frozen=True)
class Failure:
    """A source that gave nothing, why, and what would mend it."""

    source: Source
    error: SourceError

    def line(self) -> str:
        """One line for the error that lists every source."""
        return f"  - {self.source.name}: {self.error}. {self.source.remedy}"


def first_that_works(
    what: str, sources: Sequence[Source], *, log: Log
) -> tuple[Source, Parts, list[Failure]]:
    """The first source that gives proven parts, these parts, and the sources before it that failed.

    Raises:
        DeepSightError: every source failed; each is listed with its reason and its remedy.
    """
    failures: list[Failure] = []
    for source in sources:
        try:
            return source, source.fetch(), failures
        except SourceError as error:
            failures.append(Failure(source, error))
            if not isinstance(error, SourceSkipped):
                log(f"{source.name}: {error}.")
    lines = "\n".join(failure.line() for failure in failures)
    raise DeepSightError(f"Expected {what} from one of its sources, but none gave it:\n{lines}")


def failure_records(failures: Sequence[Failure]) -> list[dict[str, str]]:
    """The sources that were tried and failed, as they stand in `data.json`."""
    tried = [failure for failure in failures if not isinstance(failure.error, SourceSkipped)]
    return [{"source": failure.source.name, "reason": str(failure.error)} for failure in tried]
