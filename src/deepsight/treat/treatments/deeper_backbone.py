"""Is a deeper backbone worth it, or over-parameterised for such images? At equal time and at equal epochs."""

from deepsight.treat.treatments.base import CONTROL, Treatment

DEEPER = {
    "resnet18": "resnet50.tv_in1k",
    "resnet34": "resnet50.tv_in1k",
    "tf_efficientnet_lite0": "tf_efficientnet_lite1",
    "tf_efficientnet_lite1": "tf_efficientnet_lite2",
}


def treatments(backbone: str) -> list[Treatment]:
    """Two arms with the next deeper backbone of the family; none where there is no such backbone.

    Each starts from its own frozen phase, since weights of another backbone do not fit.

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
