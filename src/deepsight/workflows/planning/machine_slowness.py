"""How slow this machine is beside the one whose seconds the plan knows, whatever pictures the study has."""

import time
from dataclasses import dataclass

import cv2
import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.workflows.planning.examination_sizes import measured_mask_seconds

# Seconds to cut out the object of a made picture on the machine of `study_plan.FIXED`: 0.025 s for one of
# CIFAR-10's images there, times the ratio of both on another machine (0.028 and 0.064 s of processor time).
MADE_SECONDS = 0.011
LIMITS = (0.5, 3.0)
SIDE = 32  # pixels, as of CIFAR-10


@dataclass(frozen=True)
class Slowness:
    """How fast this machine is now.

    Attributes:
        machine: how many times as long it takes as the machine of `study_plan.FIXED`, 0.5 to 3.
        contention: how many times as long a thread takes because of other work on the processor, 1 to 3.
    """

    machine: float
    contention: float


def measured_slowness() -> Slowness:
    """How fast this machine is now, by the time to cut out objects; takes half a second.

    A user's own pictures would not do: the objects of flat drawings are cut out in less than half the time of
    photographs. Contention is the time that all threads had over the processor time that they got.
    """
    pictures = made_pictures(16)
    used = time.process_time()
    seconds = measured_mask_seconds(pictures) * len(pictures)
    used = time.process_time() - used
    machine = seconds / len(pictures) / MADE_SECONDS
    contention = seconds * max(cv2.getNumThreads(), 1) / max(used, 1e-9)
    return Slowness(float(np.clip(machine, *LIMITS)), float(np.clip(contention, 1.0, LIMITS[1])))


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
