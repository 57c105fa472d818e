"""Findings of an examination: tables, pictures, and the checks that could not be made."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from deepsight.core.evidence import Evidence, Table

NO_TIME = "There was not enough time for it. Allow more --minutes."


@dataclass(frozen=True)
class Refusal:
    """A check whose own conditions are not met, with the reason as a sentence."""

    check: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """Tables, pictures by their path in the run folder, and the checks that were refused."""

    evidence: Evidence = field(default_factory=Evidence)
    pictures: dict[str, bytes] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()

    def merge(self, other: "Findings") -> "Findings":
        """These findings and others; tables and pictures of the same name are replaced by the others'."""
        return Findings(
            self.evidence.merge(other.evidence),
            {**self.pictures, **other.pictures},
            (*self.refusals, *other.refusals),
        )

    @staticmethod
    def refused(check: str, reason: object) -> "Findings":
        """Nothing but the reason why a check could not be made."""
        return Findings(refusals=(Refusal(check, str(reason)),))


def not_examined_table(refusals: Sequence[Refusal]) -> Table:
    """The checks that these images or this model do not allow: evidence table `not_examined`."""
    rows = [(refusal.check, refusal.reason) for refusal in refusals]
    return Table(
        frame=pl.DataFrame(rows, schema={"check": pl.String, "reason": pl.String}, orient="row"),
        units={"check": "name of the check", "reason": "a sentence"},
        n=len(refusals),
        method="A check whose own conditions are not met is refused, not weakened.",
        caption="Checks that could not be made on these images: "
        + f"{', '.join(refusal.check for refusal in refusals) or 'none'}.",
    )
