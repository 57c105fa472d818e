"""A treatment: a change of the training data and the recipe only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe

Change = Callable[[Dataset, Recipe], tuple[Dataset, Recipe]]


@dataclass(frozen=True)
class Target:
    """What a treatment is meant to improve: everything, unless classes or pairs are given.

    Attributes:
        classes: class positions; the target is their mean F1.
        pairs: pairs of class positions; the target is the mean F1 of all their classes.
    """

    classes: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()

    def describe(self, classes: Sequence[str]) -> str:
        """The target in words, such as "all", "bird" or "cat and dog"."""
        if self.pairs:
            return ", ".join(f"{classes[a]} and {classes[b]}" for a, b in self.pairs)
        return ", ".join(classes[c] for c in self.classes) or "all"


@dataclass(frozen=True)
class Treatment:
    """A named change of the training data and the recipe. It never sees validation or test images.

    Attributes:
        name: short and unique; letters, digits and underscores, since file names contain it.
        cause: the cause in the ledger that it should help against.
        change: maps the training data and the recipe to those of the arm; it may drop rows and change labels.
        target: what it is meant to improve.
        backbone: the timm name of a different backbone for the arm; empty keeps the run's.
        budget: "time" allows the arm as many seconds as the control, "epochs" as many passes.
    """

    name: str
    cause: str
    change: Change
    target: Target = Target()
    backbone: str = ""
    budget: Literal["time", "epochs"] = "time"

    def apply(self, train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        """The arm's training data and recipe.

        Raises:
            DeepSightError: the change added rows that are not in the training data, or changed a seed, which
                all arms share.
        """
        data, changed = self.change(train, recipe)
        if data.source != train.source or not np.isin(data.ids, train.ids).all():
            raise DeepSightError(
                f"Expected the treatment '{self.name}' to use rows of the training data only, "
                f"received {len(np.setdiff1d(data.ids, train.ids))} others from '{data.source}'."
            )
        if (changed.seed, changed.view_seed) != (recipe.seed, recipe.view_seed):
            raise DeepSightError(f"Expected the treatment '{self.name}' to keep the seeds unchanged.")
        return data, changed


CONTROL = Treatment("control", "none", lambda train, recipe: (train, recipe))


def recipe_change(**fields: object) -> Change:
    """A change of these fields of the recipe only."""
    return lambda train, recipe: (train, replace(recipe, **fields))  # type: ignore[arg-type]
