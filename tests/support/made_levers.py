"""Examined images and outcomes of levers, made up."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepsight.core.array_types import Floats
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome


def examined_of(right: Sequence[int], weights: Sequence[float] | None = None, k: int = 3) -> ExaminedImages:
    """Images of class 0 that a model gets right (1) or takes for class 1 (0)."""
    m = len(right)
    logits = np.zeros((m, k))
    logits[np.arange(m), [0 if each else 1 for each in right]] = 2.0
    given = np.ones(m) if weights is None else np.asarray(weights, dtype=np.float64)
    return ExaminedImages(np.arange(m), np.zeros(m, dtype=np.int64), logits, given, round(given.sum()))


def outcome_of(
    examined: ExaminedImages, arm: Floats, control: Floats | None = None, **others: Any
) -> LeverOutcome:
    """An outcome against the model itself, unless a control is given."""
    given = np.where(examined.wrong, 0.0, 1.0)[None] if control is None else control
    return LeverOutcome(
        **{"name": "lever", "arm": "", "control": "", "advice": "", "group": "fragility", **others},
        examined=examined, arm_right=arm, control_right=given,
    )  # fmt: skip
