"""The treatments that helped, combined in one arm."""

from collections.abc import Sequence
from functools import reduce

from deepsight.core.dataset import Dataset
from deepsight.core.recipe import Recipe
from deepsight.treat.treatments.base import Treatment

# An arm can have only one treatment of each group: a recipe has one way of mixing and one backbone.
EXCLUSIVE = (
    {"cutmix", "cutmix_images", "mixup", "mixup_images"},
    {"weighted_loss", "weighted_loss_counts"},
    {"relabel", "drop_mislabelled"},
    {"deeper_backbone", "deeper_backbone_same_epochs"},
)


def compatible_treatments(ranked: Sequence[Treatment]) -> list[Treatment]:
    """The treatments that can be combined, given best first: the best of each group, at equal time."""
    chosen: list[Treatment] = []
    for candidate in ranked:
        rivals = set().union(*(group for group in EXCLUSIVE if candidate.name in group))
        if candidate.budget == "time" and not any(other.name in rivals for other in chosen):
            chosen.append(candidate)
    return chosen


def combined_treatment(parts: Sequence[Treatment]) -> Treatment:
    """All parts in one arm, applied in the given order."""

    def change(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return reduce(lambda state, part: part.change(*state), parts, (train, recipe))

    causes = ", ".join(dict.fromkeys(part.cause for part in parts))
    backbone = next((part.backbone for part in parts if part.backbone), "")
    return Treatment("combination", causes, change, backbone=backbone)
