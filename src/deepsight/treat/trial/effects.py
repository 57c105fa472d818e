"""The effect of a treatment against the control, paired by seed: docs/methods/treatments.md."""

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.statistics.intervals import Effect
from deepsight.core.statistics.paired_f1 import paired_f1, paired_macro_f1
from deepsight.treat.treatments.base import Target


def macro_effect(
    labels: Ints, control: NDArray[np.int64], arm: NDArray[np.int64], k: int, *, level: float
) -> Effect:
    """Difference in macro-F1; row i of `control` and `arm` (s, n) are predictions of the same seed."""
    return paired_macro_f1(labels, control, arm, k, level=level)


def class_effects(
    labels: Ints, control: NDArray[np.int64], arm: NDArray[np.int64], k: int, *, level: float
) -> tuple[Effect, ...]:
    """Difference in the F1 of each of the k classes."""
    return tuple(paired_f1(labels, control, arm, of_one, level=level) for of_one in np.eye(k))


def target_effect(
    target: Target, labels: Ints, control: NDArray[np.int64], arm: NDArray[np.int64], k: int, *, level: float
) -> Effect:
    """Difference in what the treatment is meant to improve: the mean F1 of its classes."""
    return paired_f1(labels, control, arm, target_weights(target, k), level=level)


def target_weights(target: Target, k: int) -> Floats:
    """The weight of each class's F1 in the target, (k,), sum 1; a target without classes means all."""
    paired = np.unique(np.asarray(target.pairs, dtype=np.int64))
    chosen = paired if len(paired) else np.asarray(target.classes or range(k), dtype=np.int64)
    return np.asarray(np.bincount(chosen, minlength=k) / len(chosen), dtype=np.float64)
