"""The whole study, top to bottom.

    obtain -> scrub -> explore -> model -> interpret -> levers -> report

A stage whose results are in the run folder does not run again, so an interrupted study resumes where it
stopped.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from deepsight.config import StudyConfig, study_of
from deepsight.core.errors import UsageError
from deepsight.core.files.lock import locked
from deepsight.core.progress import Log, silent
from deepsight.core.run import AUDITED, EXAMINED, METRICS, REPORT, Run
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.model.training.fit import fabric_of
from deepsight.report.html import render
from deepsight.workflows.passes.block_passes import LOCAL, require_engine
from deepsight.workflows.refused_run import removed_if_refused
from deepsight.workflows.stages import (
    adopt_plan,
    explore_stage,
    interpret_stage,
    levers_stage,
    model_stage,
    obtain_stage,
    report_stage,
    scrub_stage,
)
from deepsight.workflows.study_context import Context

STAGES: dict[str, Callable[[Context], None]] = {
    "obtain": obtain_stage,
    "scrub": scrub_stage,
    "explore": explore_stage,
    "train": model_stage,
    "interpret": interpret_stage,
    "levers": levers_stage,
    "report": report_stage,
}


# Whether a stage is done, in runs of earlier versions, which wrote no manifests.
DONE: dict[str, Callable[[Run], bool]] = {
    "scrub": lambda run: run.has("splits.npz") and run.study().get("plan") is not None,
    "explore": lambda run: run.has("hypotheses.json"),
    "train": lambda run: run.has("predictions/test.npz"),
    "interpret": lambda run: run.has("evidence/ledger.parquet") and run.has(METRICS),
    "levers": lambda run: run.has("evidence/levers.parquet"),
}


def run_study(
    study: StudyConfig, out: str | Path, *, engine: str = LOCAL, log: Log = silent
) -> dict[str, Any]:
    """Run a whole study: obtain, scrub, explore, model, interpret, levers, report.

    Args:
        study: the configuration.
        out: the run folder; an interrupted run of the same study is resumed.
        engine: where the model passes over all test images: "local", "ray" or "ray://HOST:PORT". Everything
            else runs in this process.
        log: receives progress and warnings; `print` shows them.

    Returns:
        The content of metrics.json.

    Raises:
        UsageError: the engine is unknown, or is Ray under torchrun.
        DeepSightError: the folder holds another study, or a stage fails; the message says why.

    Example:
        >>> from deepsight import Run, StudyConfig, run_study
        >>> config = StudyConfig(data="folder:photos", minutes=1, resolution=32)
        >>> metrics = run_study(config, "runs/photos")
        >>> 0 <= metrics["macro_f1"] <= 1
        True
        >>> "confusion_pairs" in Run.open("runs/photos").evidence()
        True
    """
    require_engine(engine)
    with removed_if_refused(Path(out), until="splits.npz"), locked_by_first(Path(out)):
        context = begin(study, Path(out), log, engine)
        carry_out_until("report", context)
        return context.run.metrics()


def begin(study: StudyConfig, out: Path, log: Log, engine: str = LOCAL) -> Context:
    """Open the run folder for this study, new or interrupted."""
    fabric = fabric_of()
    with fabric.rank_zero_first():
        run = Run.create(out, study.stored())
    return under_way(run, log, fabric, engine)


def under_way(run: Run, log: Log, fabric: Fabric, engine: str = LOCAL) -> Context:
    """The context of a run folder's study; under torchrun only the first process logs.

    Raises:
        UsageError: Ray is asked for under torchrun; both would divide the images.
    """
    if engine != LOCAL and fabric.world_size > 1:
        raise UsageError(
            f"Expected --engine local under torchrun, received '{engine}': its processes share the images."
        )
    said = log if fabric.is_global_zero else silent
    return Context(run, study_of(run.study()), said, fabric, engine=engine)


def obtain_data(study: StudyConfig, out: Path, *, log: Log) -> None:
    """Start a run: make its folder, and obtain and verify the data."""
    with locked_by_first(out):
        carry_out_until("obtain", begin(study, out, log))


def run_until(last: str, out: Path, *, engine: str = LOCAL, log: Log) -> Context:
    """Run the stages of an existing run up to this one, except those that are done.

    Args:
        last: a name in `STAGES`; "report" also renders the report of an examination or audit again.
        out: the run folder.
        engine: as for `run_study`.
        log: receives progress and warnings.
    """
    require_engine(engine)
    run = Run.open(out)
    with locked_by_first(out):
        if last == "report" and (run.study().get(EXAMINED) or AUDITED in run.study()):
            render(run)
            run.commit("report", also=[REPORT])
            return under_way(run, log, fabric_of())
        context = under_way(run.require_study(last), log, fabric_of(), engine)
        if last == "levers":
            plan_missing_levers(context)
        carry_out_until(last, context)
    return context


def plan_missing_levers(context: Context) -> None:
    """Plan levers for a run that was made without them."""
    plan = context.study.plan
    if plan is None or plan.lever_sizes or not context.fabric.is_global_zero:
        return
    if plan.folds > 1:
        context.log("A study in folds has no levers: their controls need one model.")
    else:
        # A stop between the two must leave the levers to be tried: a plan with levers is taken for done.
        context.run.reopen("levers")
        adopt_plan(context, plan.model_copy(update={"lever_sizes": asdict(LeverSizes())}))


def carry_out_until(last: str, context: Context) -> None:
    """Run the stages up to this one, except those that are done."""
    if context.fabric.is_global_zero:
        reopen_damaged(context)
    for name in STAGES:
        carry_out(name, context)
        if name == last:
            break


def locked_by_first(out: Path) -> AbstractContextManager[None]:
    """The lock on a run folder; under torchrun the first process holds it for all."""
    Run(out).require_usable()
    return locked(out) if os.environ.get("RANK", "0") == "0" else nullcontext()


def carry_out(name: str, context: Context) -> None:
    """Run one stage unless it is done: training in all of torchrun's processes, any other in the first.

    The other processes wait, and then read from the run folder what the first wrote.
    """
    if name == "train":
        if not is_done(name, context.run):
            if context.fabric.is_global_zero:
                context.run.reopen(name)
            STAGES[name](context)
            if context.fabric.is_global_zero:
                context.run.commit(name)
        return
    with context.fabric.rank_zero_first():
        if not context.fabric.is_global_zero:
            context.study = study_of(context.run.study())
        elif name == "report":
            STAGES[name](context)
        elif not is_done(name, context.run):
            context.run.reopen(name)
            STAGES[name](context)
            context.run.commit(name)


def is_done(name: str, run: Run) -> bool:
    """Whether a stage is finished; `reopen_damaged` has reopened those with damaged files."""
    known = run.manifests()
    if known is None:
        return name in DONE and DONE[name](run)
    return name in known.by_stage


def reopen_damaged(context: Context) -> None:
    """Reopen each stage with missing or damaged files, the last first, since stages may share files."""
    run = context.run
    for name in reversed(STAGES):
        known = run.manifests()
        failing = known.failing(name) if known is not None and name in known.by_stage else []
        if failing and name != "report":
            context.log(f"{failing[0]} is not what the run wrote, so the stage {name} runs again.")
            run.reopen(name)
