"""The order in which arms run: seed by seed, so that an interrupted trial has the same seeds of every arm."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError
from deepsight.treat.arms import Outcome
from deepsight.treat.treatment import CONTROL, Treatment

RunOne = Callable[[Treatment, int], Outcome]


@dataclass(frozen=True)
class Ran:
    """What came of the arms.

    Attributes:
        outcomes: of each arm that has all its seeds, in their order; the control first.
        failed, left_out: why an arm has no result, by name.
    """

    outcomes: dict[str, list[Outcome]]
    failed: dict[str, str]
    left_out: dict[str, str]

    def predicted(self, name: str) -> NDArray[np.int64]:
        """Predictions on validation, (seeds, n)."""
        return np.stack([outcome.predicted for outcome in self.outcomes[name]])

    def join(self, other: "Ran") -> "Ran":
        """These arms and those."""
        return Ran(
            {**self.outcomes, **other.outcomes},
            {**self.failed, **other.failed},
            {**self.left_out, **other.left_out},
        )

    def without(self, name: str, reason: str) -> "Ran":
        """These arms, and one that was not run."""
        return replace(self, left_out={**self.left_out, name: reason})


def run_arms(treatments: Sequence[Treatment], seeds: int, run_one: RunOne, left: Callable[[], float]) -> Ran:
    """Run the control and the treatments with seeds 0, 1, …

    Before every seed but the first, treatments from the end of the list are given up until what is left to do
    fits into the time that is left, as measured so far. An arm that failed is not run with another seed.

    Args:
        treatments: the most promising first.
        seeds: trainings of each arm.
        run_one: the outcome of an arm with a seed.
        left: seconds until the time is up.

    Raises:
        DeepSightError: the control failed, so that nothing can be compared.
    """
    outcomes: dict[str, list[Outcome]] = {t.name: [] for t in (CONTROL, *treatments)}
    failed: dict[str, str] = {}
    left_out: dict[str, str] = {}
    costs: dict[str, float] = {}
    going = [CONTROL, *treatments]
    for seed in range(seeds):
        for given_up in too_many(going, costs, seeds - seed, left()):
            left_out[given_up.name] = f"the time was up after {seed} of {seeds} seeds"
        going = [t for t in going if t.name not in failed and t.name not in left_out]
        for treatment in going:
            began = time.monotonic()
            outcome = run_one(treatment, seed)
            # What was made for all seeds is not paid again, and neither is an arm that was stored.
            costs[treatment.name] = min(time.monotonic() - began, outcome.seconds)
            outcomes[treatment.name].append(outcome)
            if outcome.failed:
                failed[treatment.name] = outcome.failed
                require_control(outcome)
        going = [t for t in going if t.name not in failed]
    complete = {t.name: outcomes[t.name] for t in going}
    return Ran(complete, failed, left_out)


def too_many(
    going: Sequence[Treatment], costs: dict[str, float], rounds: int, left: float
) -> list[Treatment]:
    """The treatments at the end that do not fit any more; none before anything was measured.

    The control and the first treatment always stay.
    """
    if not costs:
        return []
    given_up: list[Treatment] = []
    running = list(going)
    while len(running) > 2 and rounds * sum(costs.get(t.name, 0.0) for t in running) > left:
        given_up.append(running.pop())
    return given_up


def require_control(outcome: Outcome) -> None:
    """Refuse to go on when it is the control that failed."""
    if outcome.name == CONTROL.name:
        raise DeepSightError(f"Expected the control to train, but it failed: {outcome.failed}")
