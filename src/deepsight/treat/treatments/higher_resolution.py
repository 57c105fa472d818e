"""Higher resolution: the same images, enlarged further before the network sees them."""

from dataclasses import replace

from deepsight.core.dataset import Dataset
from deepsight.core.recipe import Recipe
from deepsight.treat.treatments.base import Treatment


def treatment(*, step: int = 32) -> Treatment:
    """Enlarge the input by `step` pixels a side, a multiple of 32.

    A pass costs more, so at equal time the arm sees fewer images: whether that pays is the question.
    """

    def change(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return train, replace(recipe, resolution=recipe.resolution + step)

    return Treatment("higher_resolution", "model error", change)
