"""What a treatment is: a change of the training data and of the recipe, and of nothing else."""

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
    """What a treatment is meant to better; everything, where neither classes nor pairs are named.

    Attributes:
        classes: positions of classes; their mean F1 is the target.
        pairs: pairs of positions; the mean F1 of all their classes is the target.
    """

    classes: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()

    def describe(self, classes: Sequence[str]) -> str:
        """In words, such as "all", "bird" or "cat and dog"."""
        if self.pairs:
            return ", ".join(f"{classes[a]} and {classes[b]}" for a, b in self.pairs)
        return ", ".join(classes[c] for c in self.classes) or "all"


@dataclass(frozen=True)
class Treatment:
    """A named change of training data and recipe. It never receives validation or test images.

    Attributes:
        name: short and unique, also part of file names: letters, digits and underscores.
        cause: the cause in the ledger that it answers.
        change: the training data and the recipe to those of the arm; rows may go, labels may change.
        target: what it is meant to better.
        backbone: the timm name of another backbone for the arm; empty keeps the run's.
        budget: "time" gives the arm the control's seconds of computation, "epochs" its number of passes.
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
            DeepSightError: the change brought in rows that are not in the training data, or it touched what
                all arms share: the seeds.
        """
        data, changed = self.change(train, recipe)
        if data.source != train.source or not np.isin(data.ids, train.ids).all():
            raise DeepSightError(
                f"Expected the treatment '{self.name}' to keep to rows of the training data, "
                f"received {len(np.setdiff1d(data.ids, train.ids))} others from '{data.source}'."
            )
        if (changed.seed, changed.view_seed) != (recipe.seed, recipe.view_seed):
            raise DeepSightError(f"Expected the treatment '{self.name}' to leave the seeds as they are.")
        return data, changed


CONTROL = Treatment("control", "none", lambda train, recipe: (train, recipe))


def recipe_change(**fields: object) -> Change:
    """A change of these fields of the recipe alone."""
    return lambda train, recipe: (train, replace(recipe, **fields))  # type: ignore[arg-type]
