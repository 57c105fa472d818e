"""How slow this machine is beside the one whose seconds the plan knows, whatever pictures the study has."""

import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.workflows.planning.examination_sizes import measured_mask_seconds

# Seconds to cut out the object of a made picture on the machine of `study_plan.FIXED`: 0.025 s for one of
# CIFAR-10's images there, times the ratio of both on another machine (0.028 and 0.064 s of processor time).
MADE_SECONDS = 0.011
LIMITS = (0.5, 3.0)
SIDE = 32  # pixels, as of CIFAR-10


def machine_slowness() -> float:
    """How many times as long this machine takes, by the time to cut out objects; 0.5 to 3.

    A user's own pictures would not do: the objects of flat drawings are cut out in less than half the time of
    photographs. Takes half a second.
    """
    return float(np.clip(measured_mask_seconds(made_pictures(16)) / MADE_SECONDS, *LIMITS))


def made_pictures(n: int) -> Pixels:
    """Discs on slopes of colour, with noise: uint8 (n, 32, 32, 3), always the same."""
    rng = np.random.default_rng(0)
    down, across = (np.mgrid[:SIDE, :SIDE] / SIDE - 0.5)[..., None]
    pictures = []
    for _ in range(n):
        ground, disc = rng.uniform(40, 215, (2, 3))
        slopes, centre = rng.uniform(-60, 60, (2, 3)), rng.uniform(-0.1, 0.1, 2)
        inside = np.hypot(down - centre[0], across - centre[1]) < rng.uniform(0.2, 0.35)
        picture = np.where(inside, disc, ground + slopes[0] * down + slopes[1] * across)
        pictures.append(picture + rng.normal(0, 15, (SIDE, SIDE, 3)))
    return np.stack(pictures).clip(0, 255).astype(np.uint8)
