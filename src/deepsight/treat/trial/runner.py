"""A trial: a control and treatments with the same checkpoint, budget and seeds, compared in pairs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from deepsight.core.evidence import Table
from deepsight.core.progress import Log, silent
from deepsight.core.recipe import Recipe
from deepsight.scrub.split import limit_train
from deepsight.treat.treatments import combination
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.arm import run_arm
from deepsight.treat.trial.checkpoints import Checkpoints, TrialConfig
from deepsight.treat.trial.leakage_effect import SHARE, Leakage, affordable_steps, measure_leakage
from deepsight.treat.trial.results import LEVEL, TrialFindings, trial_findings
from deepsight.treat.trial.schedule import RunOne, TrialResults, run_arms
from deepsight.treat.trial.store import ArmResult, Store
from deepsight.treat.trial.stored_plan import stored_or_new_plan
from deepsight.treat.trial.trial_plan import TrialPlan, recipe_difference, trial_plan_sentence
from deepsight.treat.trial.verdicts import Judgement, judge_treatment, treatment_verdicts

RESERVE = 0.85  # share of the minutes that is planned; the rest is for statistics and slowdowns
AFTER = 0.05  # share of the minutes kept for statistics and for diagnosing the winner
MIN_TREATMENTS = 8  # if fewer treatments fit, each trains less of the network


@dataclass(frozen=True)
class TrialClock:
    """The time of a trial.

    Attributes:
        ends: on the clock of `time.monotonic`, when the work must be done.
        reserved: seconds before that for the final test and for measuring leakage.
    """

    ends: float
    reserved: float

    def left(self) -> float:
        """Seconds left for training arms; negative if the time is up."""
        return self.ends - time.monotonic() - self.reserved


def run_trial(
    config: TrialConfig, treatments: Sequence[Treatment], *,
    folder: Path, minutes: float, seeds: int = 5, min_treatments: int = MIN_TREATMENTS,
    leakage: Leakage | None = None, log: Log = silent,
) -> TrialFindings:  # fmt: skip
    """Run the treatments that fit into the time, judge them, and test the winner.

    Results of an interrupted trial with the same configuration in the folder are reused.

    Args:
        config: data, recipe, backbone and machine; training rows are reduced to fit the time.
        treatments: the most promising first.
        folder: the folder `treatments` of a run.
        minutes: for the whole trial.
        seeds: trainings of the control and of each treatment; use at least 5 for reliable verdicts.
        min_treatments: treatments that must fit. If they do not, all arms train less of the network, then at
            a lower resolution; the plan and the tables say so.
        leakage: training images that repeat test images and that no arm trains on; their effect is measured
            in a part of the minutes.
        log: receives the plan and one line per arm and seed.

    Raises:
        UsageError: not even one treatment fits.
        DeepSightError: the control failed.
    """
    began, budget = time.monotonic(), minutes * 60
    config = replace(config, load=cache(config.load))
    share = SHARE if leakage is not None and leakage.measurable else 0.0
    planned = budget * RESERVE * (1 - share)
    plan = stored_or_new_plan(config, treatments, folder, planned, seeds, min_treatments)
    log(trial_plan_sentence(plan, config.recipe))
    said = recipe_difference(plan, config.recipe)
    config = planned_config(config, plan)
    checkpoints, store = Checkpoints(config), Store(folder)
    clock = TrialClock(began + budget * (1 - AFTER), plan.final_test_seconds + share * budget)
    chosen = [t for t in treatments if t.name in plan.steps]
    run_one = arm_runner(plan, checkpoints, store, log)
    chosen, results = run_with_combination(chosen, plan, config, run_one, clock)
    found = trial_findings(judge_arms(chosen, results, config), results, plan, checkpoints, store, said=said)
    if leakage is None or not leakage.measurable:
        return found
    seconds = clock.ends - time.monotonic()
    table = leakage_of_trial(config, leakage, results, plan, seconds, folder, log)
    return found if table is None else replace(found, evidence=found.evidence.add(leakage_effect=table))


def planned_config(config: TrialConfig, plan: TrialPlan) -> TrialConfig:
    """The configuration with the training rows, resolution and trained stages of the plan."""
    train = limit_train(config.splits.train, limit=plan.rows, seed=config.recipe.seed)
    recipe = replace(config.recipe, resolution=plan.resolution, trained_reductions=plan.trained_reductions)
    return replace(config, splits=replace(config.splits, train=train), recipe=recipe)


def run_with_combination(
    chosen: Sequence[Treatment], plan: TrialPlan, config: TrialConfig, run_one: RunOne, clock: TrialClock
) -> tuple[list[Treatment], TrialResults]:
    """Run the arms, then one that combines the treatments that helped, if the time allows.

    Returns:
        The treatments with the combination, if it ran, and all results.
    """
    results = run_arms(chosen, plan.seeds, run_one, clock.left)
    together = combination_of_helpful(judge_arms(chosen, results, config))
    if together is None:
        return list(chosen), results
    if clock.left() < sum(outcome.seconds for outcome in results.outcomes[CONTROL.name]):
        reason = "there was no time left to combine the treatments that helped"
        return list(chosen), results.without(together.name, reason)
    results = results.join(run_arms([together], plan.seeds, run_one, clock.left))
    return [*chosen, together], results


def leakage_of_trial(
    config: TrialConfig,
    leakage: Leakage,
    results: TrialResults,
    plan: TrialPlan,
    seconds: float,
    folder: Path,
    log: Log,
) -> Table | None:
    """The effect of leakage, with as many steps as fit into the seconds; None if they are too few."""
    control = results.outcomes[CONTROL.name]
    each = sum(outcome.seconds for outcome in control) / sum(outcome.steps for outcome in control)
    steps = affordable_steps(seconds, each, plan.steps[CONTROL.name], plan.seeds)
    if not steps:
        log("The effect of leakage was not measured: there was too little time left. Allow more minutes.")
        return None
    log(f"Leakage: {len(leakage.test)} test images have copies in train; {steps} steps with and without.")
    recipes = [seeded(config.recipe, seed) for seed in range(plan.seeds)]
    return measure_leakage(config, leakage, recipes=recipes, steps=steps, store=Store(folder / "leakage"))


def arm_runner(plan: TrialPlan, checkpoints: Checkpoints, store: Store, log: Log) -> RunOne:
    """A function that returns the result of an arm with a seed, newly trained or from the store."""
    config = checkpoints.config

    def run_one(treatment: Treatment, seed: int) -> ArmResult:
        steps = plan.steps.get(treatment.name, plan.steps[CONTROL.name])
        recipe = seeded(config.recipe, seed)
        outcome = run_arm(treatment, recipe, config.splits.train, steps, checkpoints=checkpoints, store=store)
        log(f"{treatment.name}, seed {seed}: {outcome.failed or f'{outcome.seconds:.0f} s'}")
        return outcome

    return run_one


def seeded(recipe: Recipe, seed: int) -> Recipe:
    """The control's recipe with another seed; all seeds share the augmented views."""
    views = recipe.seed if recipe.view_seed is None else recipe.view_seed
    return replace(recipe, seed=seed, view_seed=views)


def judge_arms(
    treatments: Sequence[Treatment], results: TrialResults, config: TrialConfig
) -> list[Judgement]:
    """The effects of all arms that completed all seeds."""
    labels, k = config.splits.validation.labels, config.splits.train.k
    control = results.predicted(CONTROL.name)
    return [
        judge_treatment(t, labels, control, results.predicted(t.name), k, level=LEVEL)
        for t in treatments
        if t.name in results.outcomes
    ]


def combination_of_helpful(judgements: Sequence[Judgement]) -> Treatment | None:
    """An arm that combines the treatments that helped, if at least two can be combined."""
    found = treatment_verdicts(judgements, LEVEL)
    ranked = sorted(judgements, key=lambda j: -j.macro.value)
    helped = combination.compatible_treatments(
        [j.treatment for j in ranked if found[j.treatment.name] == "helps"]
    )
    return combination.combined_treatment(helped) if len(helped) > 1 else None
