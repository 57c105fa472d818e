"""Runs the arms seed by seed, so that an interrupted trial has the same seeds of every arm."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.store import ArmResult

INSTANT = 0.1  # seconds; stored arms are read even when the time is up

RunOne = Callable[[Treatment, int], ArmResult]


@dataclass(frozen=True)
class TrialResults:
    """The results of all arms.

    Attributes:
        outcomes: of each arm that completed all seeds, in order; the control first.
        failed, left_out: why an arm has no result, by name.
    """

    outcomes: dict[str, list[ArmResult]]
    failed: dict[str, str]
    left_out: dict[str, str]

    def predicted(self, name: str) -> NDArray[np.int64]:
        """Predictions on validation, (seeds, n)."""
        return np.stack([outcome.predicted for outcome in self.outcomes[name]])

    def join(self, other: "TrialResults") -> "TrialResults":
        """The results of the arms of both."""
        return TrialResults(
            {**self.outcomes, **other.outcomes},
            {**self.failed, **other.failed},
            {**self.left_out, **other.left_out},
        )

    def without(self, name: str, reason: str) -> "TrialResults":
        """The same results, with one more arm that did not run."""
        return replace(self, left_out={**self.left_out, name: reason})


def run_arms(
    treatments: Sequence[Treatment], seeds: int, run_one: RunOne, left: Callable[[], float]
) -> TrialResults:
    """Run the control and the treatments with seeds 0, 1, …

    Before every seed but the first, treatments at the end of the list are dropped until the remaining work
    fits into the remaining time, as measured so far. If there is time left at the end, they are resumed. A
    failed arm is not run with another seed.

    Args:
        treatments: the most promising first.
        seeds: trainings of each arm.
        run_one: returns the result of an arm with a seed.
        left: returns the seconds until the time is up.

    Raises:
        DeepSightError: the control failed, so there is nothing to compare with.
    """
    arms = [ScheduledArm(t, seeds, run_one) for t in (CONTROL, *treatments)]
    going = arms
    for _ in range(seeds):
        dropped = too_many([arm.cost_left for arm in going], max(left(), INSTANT))
        going = [arm for arm in going[: len(going) - dropped] if not arm.failed]
        for arm in going:
            arm.train()
    for arm in arms:
        if not arm.failed and 0 < arm.cost_left <= max(left(), INSTANT):
            arm.finish()
    complete = {arm.name: arm.outcomes for arm in arms if not arm.failed and not arm.missing}
    failed = {arm.name: arm.failed for arm in arms if arm.failed}
    late = {
        arm.name: f"time ran out after {len(arm.outcomes)} of {seeds} seeds"
        for arm in arms
        if not arm.failed and arm.missing
    }
    return TrialResults(complete, failed, late)


@dataclass
class ScheduledArm:
    """An arm and its progress through the seeds.

    Attributes:
        treatment: what the arm does.
        seeds: trainings to complete.
        run_one: trains it with a seed, or reads the stored result.
        outcomes: of the seeds so far.
        costs: seconds per seed.
    """

    treatment: Treatment
    seeds: int
    run_one: RunOne
    outcomes: list[ArmResult] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the treatment."""
        return self.treatment.name

    @property
    def failed(self) -> str:
        """Why it has no result; empty if it has one."""
        return self.outcomes[-1].failed if self.outcomes else ""

    @property
    def missing(self) -> int:
        """Seeds still to train."""
        return self.seeds - len(self.outcomes)

    @property
    def cost_left(self) -> float:
        """Seconds for the missing seeds, from the median so far, since a single one may be an outlier."""
        return self.missing * (median(self.costs) if self.costs else 0.0)

    def train(self) -> None:
        """Train it with the next seed.

        Raises:
            DeepSightError: it is the control, and it failed.
        """
        began = time.monotonic()
        outcome = self.run_one(self.treatment, len(self.outcomes))
        # Later seeds do not repeat what all seeds share, and a stored arm costs nothing.
        self.costs.append(min(time.monotonic() - began, outcome.seconds))
        self.outcomes.append(outcome)
        require_control(outcome)

    def finish(self) -> None:
        """Train the missing seeds, unless one fails."""
        while self.missing and not self.failed:
            self.train()


def too_many(costs: Sequence[float], left: float) -> int:
    """The number of arms at the end that do not fit into the remaining seconds; the first two always stay."""
    running = len(costs)
    while running > 2 and any(costs) and sum(costs[:running]) > left:
        running -= 1
    return len(costs) - running


def require_control(outcome: ArmResult) -> None:
    """Stop if the control failed.

    Raises:
        DeepSightError: it did.
    """
    if outcome.name == CONTROL.name and outcome.failed:
        raise DeepSightError(f"Expected the control to train, but it failed: {outcome.failed}")
