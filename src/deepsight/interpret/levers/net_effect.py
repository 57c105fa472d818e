"""The net share of errors that a lever fixes, with an interval over images and trainings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from deepsight.core.array_types import Bools, Floats
from deepsight.core.statistics.paired_f1 import DISCORDANT
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome


@dataclass(frozen=True)
class NetEffect:
    """The net effect of a lever.

    Attributes:
        net: share of the control's errors that the arm fixes, less what it breaks.
        low, high: its interval, over images and trainings.
        points: the same gain for the examined model, in accuracy.
        error: standard error of `net`.
        freedom: degrees of freedom of that error.
        mended, broken: the model's errors that the arm gets right, and the model's correct images that it
            gets wrong, both as shares of the model's errors and without the control.
    """

    net: float
    low: float
    high: float
    points: float
    error: float
    freedom: float
    mended: float
    broken: float

    @property
    def p_value(self) -> float:
        """Two-sided, of no net effect."""
        if self.error == 0:
            return 1.0 if self.net == 0 else 0.0
        return float(2 * student_tail(abs(self.net) / self.error, self.freedom))


def net_effect(outcome: LeverOutcome, *, level: float = 0.95) -> NetEffect:
    """Fixed minus broken, over the errors, arm against control.

    This equals the gain in accuracy over the control's error rate. Images and trainings are both samples, so
    the variance is clustered both ways: V(images) + V(trainings) - V(both) (Cameron, Gelbach & Miller 2011),
    at least that of either. Images carry their two-phase weights.

    Args:
        outcome: of the lever.
        level: coverage of the interval.
    """
    examined = outcome.examined
    gain = outcome.arm_right.mean(axis=0) - outcome.control_right.mean(axis=0)
    wrong = 1 - outcome.control_right.mean(axis=0)
    errors = float(examined.weights @ wrong)
    if errors == 0:
        return NetEffect(0.0, 0.0, 0.0, 0.0, 0.0, np.inf, 0.0, 0.0)
    raw = float(examined.weights @ gain) / errors
    squares = (examined.weights * (gain - raw * wrong)) ** 2
    by_image, by_training, both, trainings = variances(outcome, squares, errors)
    variance = max(by_image + by_training - both, by_image, by_training)
    factor, spread = outcome.factor
    net = factor * raw
    error = float(np.sqrt(factor**2 * variance + (spread * raw) ** 2))
    freedom = satterthwaite(variance, (by_image, effective_count(squares)), (by_training, trainings - 1))
    reach = student_quantile(0.5 + level / 2, freedom) * error
    mended, broken = mended_and_broken(examined, outcome.arm_right.mean(axis=0))
    return NetEffect(
        net, net - reach, net + reach, net * examined.errors / examined.n, error, freedom, mended, broken
    )


def mended_and_broken(examined: ExaminedImages, right: Floats) -> tuple[float, float]:
    """Errors that the arm gets right, and correct images that it gets wrong, as shares of the errors."""
    weights, wrong, errors = examined.weights, examined.wrong, max(examined.errors, 1e-9)
    mended, broken = weights[wrong] @ right[wrong], weights[~wrong] @ (1 - right[~wrong])
    return float(mended) / errors, float(broken) / errors


def variances(outcome: LeverOutcome, squares: Floats, errors: float) -> tuple[float, float, float, int]:
    """Variance of the net share over images, over trainings and over both, and the number of trainings.

    Args:
        outcome: of the lever.
        squares: (m,), squared deviations of the images' contributions.
        errors: weighted errors of the control.
    """
    weights, own = outcome.examined.weights, replicates(outcome)
    by_image = (float(squares.sum()) + added_squares(outcome)) / errors**2
    if outcome.members is not None:
        return by_image, jackknife_variance(outcome, errors), 0.0, own
    if own + outcome.spread.freedom < 2:
        return by_image, 0.0, 0.0, own
    single = outcome.spread.variance * float(weights.sum()) ** 2 / errors**2
    if outcome.paired:
        groups = [outcome.arm_right - outcome.control_right]
        shares, borrowed = 1 / len(groups[0]), 2 * single
    else:
        groups = [outcome.arm_right, outcome.control_right]
        shares, borrowed = sum(1 / len(group) for group in groups), single
    between, inside = per_replicate(groups, weights, errors)
    freedom = own - 1 + outcome.spread.freedom
    pooled = ((own - 1) * between + outcome.spread.freedom * borrowed) / freedom
    return by_image, pooled * shares, inside * shares, freedom + 1


def added_squares(outcome: LeverOutcome) -> float:
    """The squares of two added images that change, since few changes underestimate the variance.

    As for differences of macro-F1 (Agresti and Min 2005), but one error and one correct image: correct images
    carry larger weights, and where a few errors are fixed, often none of the few that break was drawn.
    0 where no image changes: some levers, such as a temperature, can change none.
    """
    changed = outcome.arm_right.mean(axis=0) != outcome.control_right.mean(axis=0)
    if not changed.any():
        return 0.0
    examined = outcome.examined
    groups = (group for group in (examined.wrong, ~examined.wrong) if group.any())
    return DISCORDANT / 2 * sum(squared_weight(examined.weights[g], changed[g]) for g in groups)


def squared_weight(weights: Floats, changed: Bools) -> float:
    """The mean squared weight of the images that change; where none does, its expectation.

    Images were drawn with chances that grow with how easily they change, so one that changes has this weight
    with probability 1 / weight.
    """
    if changed.any():
        return float((weights[changed] ** 2).mean())
    return float(weights.sum() / (1 / weights).sum())


def per_replicate(groups: Sequence[Floats], weights: Floats, errors: float) -> tuple[float, float]:
    """Variance of a single replicate within its group, and the part of it that is independent between images.

    Two groups share one variance, so an arm trained once has the spread of its control's trainings.
    """
    freedom = sum(len(group) - 1 for group in groups)
    off = [(group - group.mean(axis=0)) * weights / errors for group in groups]
    between = sum(float((each.sum(axis=1) ** 2).sum()) for each in off)
    inside = sum(float((each**2).sum()) for each in off)
    return between / max(freedom, 1), inside / max(freedom, 1)


def jackknife_variance(outcome: LeverOutcome, errors: float) -> float:
    """Variance over the members of an average, leaving out one at a time."""
    assert outcome.members is not None
    examined, members = outcome.examined, outcome.members
    r = len(members)
    left = np.empty(r)
    for i in range(r):
        rest = np.delete(members, i, axis=0)
        gain = examined.right(rest.mean(axis=0)) - examined.right(rest).mean(axis=0)
        left[i] = examined.weights @ gain / errors
    return float((r - 1) / r * ((left - left.mean()) ** 2).sum())


def replicates(outcome: LeverOutcome) -> int:
    """Trainings that the effect rests on; 1 where none differ."""
    if outcome.members is not None:
        return len(outcome.members)
    if outcome.paired:
        return len(outcome.arm_right)
    return len(outcome.arm_right) + len(outcome.control_right) - 1  # of two groups that share a variance


def effective_count(squares: Floats) -> float:
    """The effective number of equal squares, (Σ s)² / Σ s²: about the number of images that change."""
    total = float((squares**2).sum())
    return float(squares.sum()) ** 2 / total if total > 0 else np.inf


def satterthwaite(variance: float, images: tuple[float, float], trainings: tuple[float, int]) -> float:
    """Degrees of freedom of a variance that comes from images and trainings (Satterthwaite 1946).

    Args:
        variance: the sum.
        images, trainings: variance and degrees of freedom of each; those with none are left out.
    """
    parts = [of**2 / freedom for of, freedom in (images, trainings) if freedom > 0]
    return variance**2 / sum(parts) if sum(parts) > 0 else np.inf


def student_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t; of the normal distribution for infinite freedom."""
    return float(t.ppf(probability, freedom) if np.isfinite(freedom) else norm.ppf(probability))


def student_tail(value: float, freedom: float) -> float:
    """Upper tail probability of Student's t; of the normal distribution for infinite freedom."""
    return float(t.sf(value, freedom) if np.isfinite(freedom) else norm.sf(value))
