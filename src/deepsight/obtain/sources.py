"""Sources of a data set, in order; the first whose data passes verification is used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.obtain.obtained import Parts


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
