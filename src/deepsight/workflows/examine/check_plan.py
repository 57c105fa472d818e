"""Which checks of an opened model fit into the time that is left, and on how many images.

Each check first gets the smallest sample whose verdict means something, the cheapest check first. What is
left enlarges the samples. The plan is made again before each check, so that time which one of them did not
need goes to the next.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepsight.core.dataset import Dataset
from deepsight.core.progress import Log, silent
from deepsight.interpret.inputs import CheckStep, SampleSizes
from deepsight.report.formatting import duration_text
from deepsight.workflows.examine.budget import PREDICTED, REFERENCE, TimeBudget
from deepsight.workflows.examine.check_costs import (
    CheckLadder,
    Scope,
    background_ladder,
    levers_ladder,
    maps_ladder,
    robustness_ladder,
    second_looks_ladder,
)
from deepsight.workflows.examine.pace import Pace

NOTHING = SampleSizes(0, 0, 0, 0, 0, 0)
WORDS = {
    "degradation_images": "corruption robustness on {}", "context_objects": "background on {}",
    "faithfulness_images": "maps checked on {}",
}  # fmt: skip


@dataclass(frozen=True)
class CheckPlan:
    """The plan of the checks of one examination.

    Attributes:
        budget: the time.
        pace: of the model.
        scope: what the checks can be made on.
        log: receives the first plan.
    """

    budget: TimeBudget
    pace: Pace
    scope: Scope
    log: Log = silent

    def sizes_at(self, step: CheckStep) -> SampleSizes:
        """The sizes before this step, by the time that is left for it and for what comes after it."""
        ladders, left = pending_ladders(step, self.pace, self.scope), self.budget.left()
        taken = affordable_rungs(ladders, left)
        counts: dict[str, int] = {}
        for ladder in ladders:
            if ladder.check in taken:
                counts |= ladder.rungs[taken[ladder.check]].counts
        reasons = self.reasons(ladders, taken, left)
        if step == "degradation":
            self.log(plan_sentence(ladders, taken, counts, left, n=self.scope.n))
        return SampleSizes(**{**vars(NOTHING), **counts, "no_time": reasons})

    def reasons(
        self, ladders: Sequence[CheckLadder], taken: Mapping[str, int], left: float
    ) -> dict[str, str]:
        """Why each check that does not fit was left out, with the minutes that it would take."""
        found, used, needed = {}, 0.0, 0.0  # by the checks before that fit, and by all up to this one
        for ladder in ladders:
            least = ladder.rungs[0].seconds
            needed += least
            if ladder.check in taken:
                used += least
                continue
            minutes = math.ceil(self.budget.minutes + (needed - left) / 60 / self.budget.usable)
            found[ladder.check] = (
                f"Its smallest sample, {ladder.least}, takes about {duration_text(least)} with this model, "
                f"and {duration_text(max(0.0, left - used))} were left for it. Allow --minutes {minutes}."
            )
        return found


def pending_ladders(step: CheckStep, pace: Pace, scope: Scope) -> list[CheckLadder]:
    """The checks that are not done before a step, the cheapest first."""
    pending = [levers_ladder(pace, scope)]
    if step in ("ambiguity", "degradation"):
        pending.append(robustness_ladder(pace, scope))
    if step == "ambiguity":
        pending.append(second_looks_ladder(pace, scope))
    if step in ("ambiguity", "degradation", "choice", "context"):
        pending.append(background_ladder(pace, scope))
    to_choose = step in ("ambiguity", "degradation", "choice", "late choice")
    return [*pending, maps_ladder(pace, scope, choice=to_choose)]


def affordable_rungs(ladders: Sequence[CheckLadder], seconds: float) -> dict[str, int]:
    """The rung of each check that fits, by its name; checks whose first rung does not fit are absent.

    The first rungs are taken in the order of the ladders. Then the check whose next rung is smallest for its
    weight is raised, as long as one fits.
    """
    taken: dict[str, int] = {}
    for ladder in ladders:
        if ladder.rungs[0].seconds <= seconds:
            taken[ladder.check] = 0
            seconds -= ladder.rungs[0].seconds
    while True:
        steps = []
        for ladder in ladders:
            place = taken.get(ladder.check, len(ladder.rungs)) + 1
            if place < len(ladder.rungs):
                more = ladder.rungs[place].seconds - ladder.rungs[place - 1].seconds
                steps.append((ladder.rungs[place].seconds / ladder.weight, more, ladder.check))
        fitting = [step for step in steps if step[1] <= seconds]
        if not fitting:
            return taken
        _, more, check = min(fitting)
        taken[check] += 1
        seconds -= more


def plan_sentence(
    ladders: Sequence[CheckLadder], taken: Mapping[str, int], counts: Mapping[str, int], left: float,
    *, n: int,
) -> str:  # fmt: skip
    """The plan in words, for n images."""
    parts = [
        words.format(images_in_words(min(n, counts[name])))
        for name, words in WORDS.items()
        if counts.get(name)
    ]
    cost = sum(each.rungs[taken[each.check]].seconds for each in ladders if each.check in taken)
    full = all(taken.get(each.check, -1) == len(each.rungs) - 1 for each in ladders)
    more = " Every check has all the images that it can use." if full else ""
    what = ", ".join(parts) or "no check that needs the model"
    return f"Plan: {what}; about {duration_text(cost)} of the {duration_text(left)} left.{more}"


def images_in_words(count: int) -> str:
    """A number of images."""
    return "1 image" if count == 1 else f"{count:,} images"


def seconds_to_predict(budget: TimeBudget, pace: Pace, data: Dataset, *, train: bool) -> float:
    """Seconds for the predictions: their share, or half of what the smallest samples leave."""
    ladders = pending_ladders("ambiguity", pace, Scope.expected(data))
    least = sum(ladder.rungs[0].seconds for ladder in ladders)
    reference = REFERENCE * budget.seconds if train else 0.0
    return max(PREDICTED * budget.seconds, (budget.left() - reference - least) / 2)
