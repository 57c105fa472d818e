"""Demands of a trial's arms, its size, and a machine with known speeds."""

from deepsight.model.hardware.throughput import Throughput
from deepsight.treat.trial.cost_model import Demand, TrialSize

SIZE = TrialSize(train=45_000, validation=5_000, test=10_000, batch=128, views=3, epochs=2.0)
CONTROL = Demand("control", "", 64)
DEMANDS = [
    Demand("cutmix", "", 64),
    Demand("higher", "", 96),
    Demand("deeper", "big", 64),
    Demand("deeper_epochs", "big", 64, same_epochs=True),
    Demand("mixup_images", "", 64, own_views=True),
]


def known_speeds(backbone: str, resolution: int) -> Throughput:
    """Half as fast for the big one, and slower with the area."""
    factor = (0.5 if backbone == "big" else 1.0) * (64 / resolution) ** 2
    return Throughput(
        frozen=3500 * factor,
        view=3500 * factor,
        trainable=1500 * factor,
        step=450 * factor,
        map_bytes=5000,
        cells=2,
    )
