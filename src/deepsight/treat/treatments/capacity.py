"""Higher resolution, or a deeper backbone: is it worth the time it takes?"""

from dataclasses import replace

from deepsight.core.dataset import Dataset
from deepsight.core.recipe import Recipe
from deepsight.treat.treatments.base import CONTROL, Treatment

DEEPER = {
    "resnet18": "resnet50.tv_in1k",
    "resnet34": "resnet50.tv_in1k",
    "tf_efficientnet_lite0": "tf_efficientnet_lite1",
    "tf_efficientnet_lite1": "tf_efficientnet_lite2",
}


def deeper_backbone_treatments(backbone: str) -> list[Treatment]:
    """Two arms with the next deeper backbone of the family, at equal time and at equal epochs.

    An empty list if there is no deeper one. Each arm starts from its own linear probe, since the weights of
    another backbone do not fit.

    Args:
        backbone: the timm name of the run's backbone.
    """
    deeper = DEEPER.get(backbone.partition(".")[0])
    if deeper is None:
        return []
    return [
        Treatment("deeper_backbone", "model error", CONTROL.change, backbone=deeper, budget="time"),
        Treatment(
            "deeper_backbone_same_epochs", "model error", CONTROL.change, backbone=deeper, budget="epochs"
        ),
    ]


def higher_resolution_treatment(*, step: int = 32) -> Treatment:
    """Enlarge the input by `step` pixels per side, a multiple of 32.

    Each pass costs more, so at equal time the arm sees fewer images.
    """

    def change(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return train, replace(recipe, resolution=recipe.resolution + step)

    return Treatment("higher_resolution", "model error", change)
