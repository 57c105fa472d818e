"""Hypotheses about a model, written down before it is trained and tested afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from deepsight.core.errors import DeepSightError

Test = Literal["recall_gap", "confused_pair"]
Origin = Literal["stated", "proposed"]


@dataclass(frozen=True)
class Group:
    """Classes that a hypothesis treats as one, under a common name."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Hypothesis:
    """A directed expectation about two groups of classes.

    Attributes:
        name: short and unique, such as "rigid-over-organic".
        statement: the expectation in one sentence.
        test: "recall_gap" expects a higher mean recall in `first` than in `second`; "confused_pair" expects
            the only class of `first` and the only class of `second` to be confused with each other more often
            than their rates of wrong predictions explain.
        first, second: disjoint, non-empty groups of classes.
        origin: "stated" by a person, or "proposed" from features before training.

    Raises:
        DeepSightError: the test or the origin is unknown, or the groups are empty, overlap or are too large.
    """

    name: str
    statement: str
    test: Test
    first: Group
    second: Group
    origin: Origin = "stated"

    def __post_init__(self) -> None:
        if self.test not in get_args(Test) or self.origin not in get_args(Origin):
            raise DeepSightError(
                f"Expected a test of {get_args(Test)} and an origin of {get_args(Origin)} in the hypothesis "
                f"'{self.name}', received {self.test!r} and {self.origin!r}."
            )
        sides = self.first.classes, self.second.classes
        if not all(sides) or set(sides[0]) & set(sides[1]):
            raise DeepSightError(
                f"Expected two disjoint groups of classes in '{self.name}', "
                f"received {sides[0]} and {sides[1]}."
            )
        if self.test == "confused_pair" and (len(sides[0]), len(sides[1])) != (1, 1):
            raise DeepSightError(f"Expected one class on each side of the confused pair '{self.name}'.")

    def require_classes(self, classes: Iterable[str]) -> None:
        """Refuse classes that the data does not have.

        Raises:
            DeepSightError: a class is not among `classes`.
        """
        unknown = sorted({*self.first.classes, *self.second.classes} - set(classes))
        if unknown:
            raise DeepSightError(f"Expected classes of the data in '{self.name}', received {unknown}.")


def to_json(hypotheses: Iterable[Hypothesis]) -> dict[str, Any]:
    """The content of `hypotheses.json`."""
    return {"hypotheses": [asdict(h) for h in hypotheses]}


def from_json(content: Mapping[str, Any]) -> tuple[Hypothesis, ...]:
    """The hypotheses in what `to_json` returned, or in the file that was written from it.

    Raises:
        DeepSightError: a field is missing, unknown or invalid.
    """
    try:
        return tuple(from_item(item) for item in content["hypotheses"])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DeepSightError(
            f"Expected hypotheses as DeepSight writes them, but they cannot be read: {error}."
        ) from error


def from_item(item: Mapping[str, Any]) -> Hypothesis:
    """One hypothesis from its JSON object."""
    sides = {side: Group(item[side]["name"], tuple(item[side]["classes"])) for side in ("first", "second")}
    return Hypothesis(**{**item, **sides})


def class_groups(hypotheses: Iterable[Hypothesis]) -> dict[str, str]:
    """The group of each class, from the first hypothesis about recall; empty without one."""
    for hypothesis in hypotheses:
        if hypothesis.test == "recall_gap":
            groups = hypothesis.first, hypothesis.second
            return {name: group.name for group in groups for name in group.classes}
    return {}
