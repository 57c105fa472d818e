"""Where data may come from: an ordered list of sources, of which the first that proves itself is used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset, Images
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log


@dataclass(frozen=True)
class Part:
    """The decoded images of one official part, in the official order.

    Attributes:
        images: uint8 (n, h, w, 3), RGB; an array or a memory map.
        labels: int64 (n,), positions in the class names.
    """

    images: Images
    labels: NDArray[np.int64]


Parts = Mapping[str, Part]


@dataclass(frozen=True)
class Obtained:
    """A data set as it came.

    Attributes:
        train: the official training part, or what is left when a test part was held out.
        test: the official test part, or a stratified fifth held out with seed 0.
        record: what `data.json` says: name, source, digests, counts, quarantined items, failed sources.
        validation: the official validation part, where there is one.
        files: the file of each row, by the source of a data set; empty where rows are no files.
    """

    train: Dataset
    test: Dataset
    record: Mapping[str, Any]
    validation: Dataset | None = None
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
