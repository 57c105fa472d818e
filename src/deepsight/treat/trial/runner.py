"""A trial: a control and treatments from one start, with one budget and the same seeds, judged by pairs."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from deepsight.core.progress import Log, silent
from deepsight.core.recipe import Recipe
from deepsight.scrub.split import limit_train
from deepsight.treat.treatments import combination
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.arm import ArmResult, Store, run_arm
from deepsight.treat.trial.checkpoints import Setting, Starts
from deepsight.treat.trial.cost_model import TrialPlan
from deepsight.treat.trial.effects import DRAWS, image_draws
from deepsight.treat.trial.results import LEVEL, TrialFindings, findings
from deepsight.treat.trial.schedule import Ran, RunOne, run_arms
from deepsight.treat.trial.trial_plan import difference, planned, sentence
from deepsight.treat.trial.verdicts import Judgement, judge, verdicts

RESERVE = 0.85  # of the minutes are planned; the rest is for statistics and a machine that slows down
AFTER = 0.05  # of the minutes are kept for the statistics and the diagnosis of the winner
ENOUGH = 8  # treatments; where fewer fit, arms train less of the network rather than leave more of them out


def study(
    setting: Setting, treatments: Sequence[Treatment], *,
    folder: Path, minutes: float, seeds: int = 5, enough: int = ENOUGH, log: Log = silent,
) -> TrialFindings:  # fmt: skip
    """Run the treatments that fit into the time, judge them, and open the test set for the winner.

    What an interrupted trial of the same setting left in the folder is used.

    Args:
        setting: data, recipe, backbone and machine; its training rows are cut to what the time allows.
        treatments: the most promising first.
        folder: the folder `treatments` of a run.
        minutes: of computation for everything.
        seeds: trainings of the control and of each treatment; at least 5 for a verdict to rely on.
        enough: treatments that must fit; where they do not, all arms train less of the network, then at a
            lower resolution, which the plan and the tables say.
        log: receives a line for the plan and for each arm.

    Raises:
        UsageError: not even one treatment fits.
        DeepSightError: the control failed.
    """
    began = time.monotonic()
    setting = replace(setting, load=cache(setting.load))
    plan = planned(setting, treatments, folder, minutes * 60 * RESERVE, seeds, enough)
    log(sentence(plan, setting.recipe))
    said = difference(plan, setting.recipe)
    train = limit_train(setting.splits.train, limit=plan.rows, seed=setting.recipe.seed)
    setting = replace(
        setting,
        splits=replace(setting.splits, train=train),
        recipe=replace(
            setting.recipe, resolution=plan.resolution, trained_reductions=plan.trained_reductions
        ),
    )
    starts, store = Starts(setting), Store(folder)
    run_one = runner(plan, starts, store, log)
    chosen = [t for t in treatments if t.name in plan.steps]

    def left() -> float:
        return minutes * 60 * (1 - AFTER) - (time.monotonic() - began) - plan.opening

    ran = run_arms(chosen, plan.seeds, run_one, left)
    together = combine(judge_all(chosen, ran, setting))
    if together is not None and left() < sum(outcome.seconds for outcome in ran.outcomes[CONTROL.name]):
        ran = ran.without(together.name, "the time was up before those that helped could be combined")
    elif together is not None:
        ran = ran.join(run_arms([together], plan.seeds, run_one, left))
        chosen.append(together)
    return findings(judge_all(chosen, ran, setting), ran, plan, starts, store, said=said)


def runner(plan: TrialPlan, starts: Starts, store: Store, log: Log) -> RunOne:
    """The outcome of an arm with a seed, trained now or read from the store."""
    setting = starts.setting

    def run_one(treatment: Treatment, seed: int) -> ArmResult:
        steps = plan.steps.get(treatment.name, plan.steps[CONTROL.name])
        recipe = seeded(setting.recipe, seed)
        outcome = run_arm(treatment, recipe, setting.splits.train, steps, starts=starts, store=store)
        log(f"{treatment.name}, seed {seed}: {outcome.failed or f'{outcome.seconds:.0f} s'}")
        return outcome

    return run_one


def seeded(recipe: Recipe, seed: int) -> Recipe:
    """The control's recipe under another seed; all seeds share the augmented views."""
    views = recipe.seed if recipe.view_seed is None else recipe.view_seed
    return replace(recipe, seed=seed, view_seed=views)


def judge_all(treatments: Sequence[Treatment], ran: Ran, setting: Setting) -> list[Judgement]:
    """The effects of all arms that have all their seeds."""
    labels, k, seed = setting.splits.validation.labels, setting.splits.train.k, setting.recipe.seed
    control = ran.predicted(CONTROL.name)
    weights = image_draws(labels, DRAWS, seed=seed)
    return [
        judge(t, labels, control, ran.predicted(t.name), k, weights=weights, level=LEVEL, seed=seed)
        for t in treatments
        if t.name in ran.outcomes
    ]


def combine(judgements: Sequence[Judgement]) -> Treatment | None:
    """An arm of the treatments that helped, if there are two that go together."""
    found = verdicts(judgements, LEVEL)
    ranked = sorted(judgements, key=lambda j: -j.macro.value)
    helped = combination.compatible([j.treatment for j in ranked if found[j.treatment.name] == "helps"])
    return combination.treatment(helped) if len(helped) > 1 else None
