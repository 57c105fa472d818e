"""The treatments that helped, one after the other in one arm."""

from collections.abc import Sequence
from functools import reduce

from deepsight.core.dataset import Dataset
from deepsight.core.recipe import Recipe
from deepsight.treat.treatments.base import Treatment

# Of these only one can act in an arm: a recipe has one way of mixing, one backbone and one resolution.
EXCLUSIVE = (
    {"cutmix", "cutmix_images", "mixup", "mixup_images"},
    {"weighted_loss", "weighted_loss_counts"},
    {"relabel", "drop_mislabelled"},
    {"deeper_backbone", "deeper_backbone_same_epochs"},
)


def compatible(ranked: Sequence[Treatment]) -> list[Treatment]:
    """Those that can act together, the best first, each kept unless a better one stands in its place."""
    chosen: list[Treatment] = []
    for candidate in ranked:
        rivals = set().union(*(group for group in EXCLUSIVE if candidate.name in group))
        if candidate.budget == "time" and not any(other.name in rivals for other in chosen):
            chosen.append(candidate)
    return chosen


def treatment(parts: Sequence[Treatment]) -> Treatment:
    """All parts in one arm, applied in the order given."""

    def change(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return reduce(lambda state, part: part.change(*state), parts, (train, recipe))

    causes = ", ".join(dict.fromkeys(part.cause for part in parts))
    backbone = next((part.backbone for part in parts if part.backbone), "")
    return Treatment("combination", causes, change, backbone=backbone)
