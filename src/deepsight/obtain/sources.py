"""Sources of a data set, in order; the first whose data passes verification is used."""

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
        files: object (n,), the file, URL, or shard and row of each image; None if images have no names.
        digests: uint8 (n, 16), BLAKE2b of each file, or of the pixels if there are no files; None if the part
            is verified as a whole.
        groups: object (n,), the group of each image, "" for an image without one; None if there are no
            groups.
        metadata: further columns, one row per image; None if there are none.
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
    """A loaded data set.

    Attributes:
        train: the official training part, or what remains after a test part was held out.
        test: the official test part, or a stratified share of the images, held out with seed 0.
        record: the content of `data.json`: name, source, digests, counts, and what cannot be read or is not
            used.
        validation: the official validation part; None if there is none.
        digests: by source, uint8 (n, 16), the digest of each image by its id; empty if the data is verified
            as a whole.
        listed: by source, the names of all listed items in order, including unreadable ones; empty if items
            have no names.
        taken: by source, (n,), the time of exposure of each image by its id, in seconds since 1970, NaN if
            not recorded; empty if no image records it.
    """

    train: Dataset
    test: Dataset
    record: Mapping[str, Any]
    validation: Dataset | None = None
    digests: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taken: Mapping[str, Floats] = field(default_factory=dict)

    def named(self) -> dict[str, Dataset]:
        """The parts by the names that the run folder uses: train, val if there is one, test."""
        parts = {"train": self.train, "val": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def split(self, name: str) -> Dataset:
        """The part with this name: "train", "val" or "test"; "all" joins all parts.

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
    """A source failed; the message gives the reason in one line."""


class SourceSkipped(SourceError):
    """A source was not tried: it was not asked for, or it needs the network and `--offline` is set."""


@dataclass(frozen=True)
class Source:
    """One source of the data.

    Attributes:
        name: as shown in the record and on the screen.
        fetch: returns verified parts, or raises `SourceError`.
        remedy: what the user can do to make this source work.
    """

    name: str
    fetch: Callable[[], Parts]
    remedy: str


@dataclass(frozen=True)
class Failure:
    """A source that failed, and its error."""

    source: Source
    error: SourceError

    def line(self) -> str:
        """The line for this source in the error that lists all of them."""
        return f"  - {self.source.name}: {self.error}. {self.source.remedy}"


def first_that_works(
    what: str, sources: Sequence[Source], *, log: Log
) -> tuple[Source, Parts, list[Failure]]:
    """The first source that works, its verified parts, and the failures of the sources before it.

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
    raise DeepSightError(f"Expected {what} from one of its sources, but all failed:\n{lines}")


def failure_records(failures: Sequence[Failure]) -> list[dict[str, str]]:
    """The entries of `data.json` for sources that were tried and failed."""
    tried = [failure for failure in failures if not isinstance(failure.error, SourceSkipped)]
    return [{"source": failure.source.name, "reason": str(failure.error)} for failure in tried]
