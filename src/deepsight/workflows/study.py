"""The whole study, top to bottom.

    obtain -> scrub -> explore -> model -> interpret -> levers -> report

Every stage reads what the stages before it left in the run folder and writes what it found there; a stage
whose results are there is not run again, so that an interrupted study goes on where it stopped.
"""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from deepsight.config import StudyConfig, StudyPlan, study_of
from deepsight.core.dataset import Dataset, Splits
from deepsight.core.environment import environment, peak_rss_mb
from deepsight.core.errors import UsageError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.files.lock import locked
from deepsight.core.hypothesis import from_json, to_json
from deepsight.core.image_table import image_table, split_list
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, StageStarted, silent
from deepsight.core.run import AUDITED, EXAMINED, METRICS, REPORT, Run
from deepsight.explore.describe import describe_data
from deepsight.explore.hypotheses import register_hypotheses
from deepsight.interpret.examine import examine
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.sources import ExaminedSplit
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.model.checkpoint import MODEL_FILES, save_model
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.fit import Fitted, fabric_of, fit_model
from deepsight.obtain.cache import cache_folder
from deepsight.obtain.splits import split_digest
from deepsight.report.html import render
from deepsight.scrub.clean import clean_splits
from deepsight.scrub.duplicates.find import repeated_rows
from deepsight.scrub.duplicates.pictures import duplicate_pictures
from deepsight.scrub.label_conflicts import conflict_probability
from deepsight.workflows.context import Context, rounded
from deepsight.workflows.examination_sizes import sample_sizes_of_plan
from deepsight.workflows.folds import (
    copied,
    images_of_predictions,
    joined_predictions,
    log_epoch,
    log_kept,
    out_of_fold,
)
from deepsight.workflows.group_scores import Suggestion, with_suggested_groups
from deepsight.workflows.levers import examine_run_levers
from deepsight.workflows.metrics import study_metrics
from deepsight.workflows.near_duplicates import known_duplicates
from deepsight.workflows.passes.block_passes import LOCAL, require_engine
from deepsight.workflows.passes.study_passes import look_at_test_images, with_measures
from deepsight.workflows.passes.work import Arrays
from deepsight.workflows.study_pace import pace_examination, pace_levers, pace_training
from deepsight.workflows.study_plan import (
    SAMPLE,
    make_plan,
    study_interpolation,
    with_interpolation,
)
from deepsight.workflows.trained_model import load_trained

# Images for validation, the larger of both: more of them choose no better and cost time.
MOST_VALIDATION, MOST_OF_CLASS = 2_500, 50


def begin(study: StudyConfig, out: Path, log: Log, engine: str = LOCAL) -> Context:
    """Open the run folder for this study, new or interrupted."""
    fabric = fabric_of()
    with fabric.rank_zero_first():
        run = Run.create(out, study.stored())
    return under_way(run, log, fabric, engine)


def under_way(run: Run, log: Log, fabric: Fabric, engine: str = LOCAL) -> Context:
    """The study of a run folder; where torchrun started several processes, the first speaks for all.

    Raises:
        UsageError: there are several processes and Ray, which would both share the images out.
    """
    if engine != LOCAL and fabric.world_size > 1:
        raise UsageError(
            f"Expected --engine local under torchrun, received '{engine}': its processes share the images."
        )
    said = log if fabric.is_global_zero else silent
    return Context(run, study_of(run.study()), said, fabric, engine=engine)


def run_study(
    study: StudyConfig, out: str | Path, *, engine: str = LOCAL, log: Log = silent
) -> dict[str, Any]:
    """The study: obtain, scrub, explore, model, interpret, report.

    Args:
        study: the configuration.
        out: the run folder; an interrupted run of the same study goes on from where it stopped.
        engine: where all test images are looked at and measured: "local", "ray" or "ray://HOST:PORT".
            Everything else runs in this process.
        log: receives what the work says; `print` shows it.

    Returns:
        The content of metrics.json.

    Raises:
        UsageError: the engine is unknown.
        DeepSightError: the folder holds another study, or a stage cannot go on; the message says why.

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
    with locked_by_first(Path(out)):
        context = begin(study, Path(out), log, engine)
        carry_out_until("report", context)
        return context.run.metrics()


def obtain_stage(context: Context) -> None:
    """Data from the first source that has it, its digests and counts in data.json."""
    with context.stage("obtain"):
        context.save_data()
        context.run.save_json("environment.json", environment())


def scrub_stage(context: Context) -> None:
    """Splits without leakage, a plan that fits this machine, and interpolation chosen on evidence."""
    run, study, got = context.run, context.study, context.obtained
    with context.stage("scrub"):
        settled: list[StudyPlan] = []

        def rows(splits: Splits) -> int:
            settled.append(study.plan or make_plan(context, splits))
            return settled[0].train_rows

        cleaned = clean_splits(
            got.train, got.test, validation=got.validation,
            validation_share=share_for_validation(study.validation_share, got.train),
            seed=study.seed, keep_leaks=study.keep_leaks, rows=rows,
            known=partial(known_duplicates, context),
        )  # fmt: skip
        for note in cleaned.notes:
            context.log(note)
        plan, splits = settled[0], cleaned.splits
        found = study_interpolation(context, splits.train, plan.recipe)
        if study.plan is None:
            plan = with_interpolation(plan, study, found)
        save_tables(run, **cleaned.evidence, interpolation=found)
        run.save_pictures(duplicate_pictures(cleaned.evidence["duplicates"].frame, cleaned.compared))
        context.study = study.model_copy(update={"plan": plan})
        run.save_study(context.study.stored())
        run.save_splits({name: part.ids for name, part in splits.named().items()})
        run.save_split_list(split_list(image_table(got.named(), got.digests), splits.named()))


def share_for_validation(asked: float, train: Dataset) -> float:
    """The share of the training images that validation gets: at most as asked, and not more than it needs."""
    return min(asked, max(MOST_VALIDATION, MOST_OF_CLASS * train.k) / len(train))


def explore_stage(context: Context) -> None:
    """What the data looks like, and what is expected of the model, written down before there is one."""
    run, study = context.run, context.study
    with context.stage("explore"):
        train = context.splits.train
        rows = np.sort(np.random.default_rng(study.seed).permutation(len(train))[:SAMPLE])
        features = context.frozen.features(train.pixels(rows), context.plan.recipe)
        save_tables(run, **describe_data(context.splits, features, rows, seed=study.seed))
        hypotheses = register_hypotheses(train.classes, features, train.labels[rows])
        run.save_json("hypotheses.json", to_json(hypotheses))
        adopt_plan(context, pace_training(context))


def adopt_plan(context: Context, plan: StudyPlan) -> None:
    """Go on with this plan, and store it, so that the study can be repeated from its study.yaml."""
    if plan != context.plan:
        context.study = context.study.model_copy(update={"plan": plan})
        context.run.save_study(context.study.stored())


def model_stage(context: Context) -> None:
    """The frozen phase and fine-tuning, then what the model says about validation and test."""
    plan = context.plan
    began = time.perf_counter()
    context.log(StageStarted("train"))
    splits = context.splits
    untouched = context.frozen  # a copy: the training changes the backbone in place
    start = copied(context.pretrained) if plan.folds > 1 else context.pretrained
    fitted = fit_model(
        context.pretrained, splits, plan.recipe,
        cache=FeatureCache(cache_folder() / "trunk", log=context.log),
        fabric=context.fabric, log=partial(log_epoch, context.log),
    )  # fmt: skip
    log_kept(context.log, fitted)
    said, features = out_of_fold(context, start) if plan.folds > 1 else ([], [])
    look_at_test = partial(look_at_test_images, context, untouched, fitted.predictor)
    if context.fabric.is_global_zero:
        keep_model(context, fitted, look_at_test, time.perf_counter() - began)
        if said:
            keep_folds(context, said, features)
    else:
        look_at_test()


def keep_folds(context: Context, said: list[Predictions], features: list[NDArray[np.float32]]) -> None:
    """Put what the other models say of their folds beside what the first says of the test part.

    Each model bends its features its own way, so the features are those of before the training.
    """
    run = context.run
    first, before = run.predictions("test"), run.predictions("test_frozen").features
    joined = joined_predictions([first, *said], [np.asarray(before, dtype=np.float32), *features])
    run.save_predictions("test", joined)
    run.save_predictions("test_frozen", joined)
    whole = images_of_predictions(context)
    digest = split_digest(whole, context.obtained.digests.get(whole.source))
    examined = {"split": "all", "n": len(whole), "digest": digest, "folds": context.plan.folds}
    run.save_json("data.json", {**run.read_json("data.json"), "examined": examined})


def keep_model(
    context: Context, fitted: Fitted, look_at_test: Callable[[], Arrays | None], seconds: float
) -> None:
    """The trained model, its history, and what it says; `seconds` are those of the training.

    `look_at_test` gives the features of the test images, as `open_beside` does. Of training and test images
    the features from before fine-tuning are kept too, for the study of labels.
    """
    run, splits = context.run, context.splits
    frozen = float(fitted.history.filter(fitted.history["phase"] == "frozen")["seconds"].sum())
    context.add_seconds(frozen=frozen, finetune=seconds - frozen)
    with context.stage("predict"):
        save_model(run.path, fitted, context.pretrained, splits.classes, context.plan.recipe)
        run.made.update(MODEL_FILES)
        run.save_history(fitted.history)
        before = fitted.frozen
        save_frozen(run, "train", splits.train.select(before.rows), before.features)
        run.save_predictions("val", fitted.validation)
        looked_at = look_at_test()
        assert looked_at is not None  # this is the first process
        test, features = splits.test, looked_at["features"]
        save_frozen(run, "test", test, looked_at["frozen"])
        said = Predictions(test.ids, test.labels, fitted.predictor.logits_of(features), features)
        run.save_predictions("test", said)


def save_frozen(run: Run, name: str, data: Dataset, features: NDArray[np.float32]) -> None:
    """Features from before fine-tuning, as predictions that say nothing."""
    silence = np.zeros((len(data), data.k), dtype=np.float32)
    run.save_predictions(f"{name}_frozen", Predictions(data.ids, data.labels, silence, features))


def interpret_stage(context: Context) -> None:
    """What is wrong, and why; then the headline in metrics.json."""
    run = context.run
    with context.stage("interpret"):
        adopt_plan(context, pace_examination(context))
        suggested = suggestion_of(context, context.log)
        inputs = with_measures(context, replace(inputs_of(context), test=suggested.test))
        predictor = load_trained(run)
        found = examine(inputs, predictor, sample_sizes_of_plan(context.plan))
        run.save_pictures(found.pictures)
        save_tables(run, **found.evidence, **suggested.evidence)
    run.save_json(METRICS, study_metrics(context))


def suggestion_of(context: Context, log: Log) -> Suggestion:
    """The test images, and what their score becomes under groups that nobody declared."""
    run, splits = context.run, context.splits
    learnt = [splits.train] if context.plan.folds == 1 else []  # of each fold it is another part
    return with_suggested_groups(
        images_of_predictions(context), learnt, run.predictions("test"), taken=context.obtained.taken,
        pairs=run.evidence()["duplicates"].frame, seed=context.study.seed, log=log,
    )  # fmt: skip


def levers_stage(context: Context) -> None:
    """What a person could do about the errors, each lever tried against a control."""
    if context.plan.lever_sizes:
        adopt_plan(context, pace_levers(context))
        examine_run_levers(context, inputs_of)


def inputs_of(context: Context) -> ExaminationInputs:
    """The run's model as the examination sees it."""
    if context.plan.folds > 1:
        return inputs_of_folds(context)
    run, splits = context.run, context.splits
    train, duplicates = run.predictions("train_frozen"), run.evidence()["duplicates"]
    leaks = repeated_rows(duplicates, of="train", within=("val", "test"))
    kept = run.has("predictions/test_frozen.npz")  # runs of earlier versions lack it
    return ExaminationInputs(
        test=splits.test,
        predictions=run.predictions("test"),
        validation=run.predictions("val"),
        train=ExaminedSplit(train.ids, train.labels, None, train.features, "frozen"),
        others={"train": splits.train, "val": splits.validation},
        more={"frozen": run.predictions("test_frozen").features} if kept else {},
        conflicting_twins=conflict_probability(duplicates.frame, splits.test, context.official),
        leaks_kept=bool(np.isin(splits.train.ids, leaks).any()),
        hypotheses=from_json(run.read_json("hypotheses.json")),
        seed=context.study.seed,
    )


def inputs_of_folds(context: Context) -> ExaminationInputs:
    """Every image with what a model says that has not seen it; the kept model may look at its own fold."""
    run, whole = context.run, images_of_predictions(context)
    own = np.flatnonzero(np.isin(whole.ids, context.splits.test.ids))
    return ExaminationInputs(
        test=whole, predictions=run.predictions("test"), unseen=own, seed=context.study.seed,
        hypotheses=from_json(run.read_json("hypotheses.json")),
    )  # fmt: skip


def report_stage(context: Context) -> None:
    """One file that draws what is stored."""
    run = context.run
    run.repair_index()
    if not run.holds(METRICS):
        context.log(f"{METRICS} is not what the run wrote, so it is made again.")
        run.save_json(METRICS, study_metrics(context))
    done = "total" in run.metrics()["seconds"]
    with context.stage("report"):
        render(run)
    if not done:
        seconds = {**context.seconds, "total": sum(context.seconds.values())}
        measured = {"seconds": rounded(seconds), "peak_rss_mb": peak_rss_mb()}
        run.save_json(METRICS, {**run.metrics(), **measured})
        render(run)  # once more, with the time that it took
    run.commit("report", also=[REPORT])


STAGES: dict[str, Callable[[Context], None]] = {
    "obtain": obtain_stage,
    "scrub": scrub_stage,
    "explore": explore_stage,
    "train": model_stage,
    "interpret": interpret_stage,
    "levers": levers_stage,
    "report": report_stage,
}


# Whether a stage is done, in runs of versions that wrote no manifests.
DONE: dict[str, Callable[[Run], bool]] = {
    "scrub": lambda run: run.has("splits.npz") and run.study().get("plan") is not None,
    "explore": lambda run: run.has("hypotheses.json"),
    "train": lambda run: run.has("predictions/test.npz"),
    "interpret": lambda run: run.has("evidence/ledger.parquet") and run.has(METRICS),
    "levers": lambda run: run.has("evidence/levers.parquet"),
}


def obtain_data(study: StudyConfig, out: Path, *, log: Log) -> None:
    """Begin a run: its folder, and data whose integrity is proved."""
    with locked_by_first(out):
        carry_out_until("obtain", begin(study, out, log))


def run_until(last: str, out: Path, *, engine: str = LOCAL, log: Log) -> Context:
    """The stages of an existing run up to this one; those that are done are not done again."""
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
    """Plan the levers of a run that was made without them, since they are asked for now."""
    plan = context.study.plan
    if plan is None or plan.lever_sizes or not context.fabric.is_global_zero:
        return
    if plan.folds > 1:
        context.log("A study in folds has no levers: their controls need one model.")
    else:
        adopt_plan(context, plan.model_copy(update={"lever_sizes": asdict(LeverSizes())}))
        context.run.reopen("levers")


def carry_out_until(last: str, context: Context) -> None:
    """The stages up to this one, each unless it is done."""
    if context.fabric.is_global_zero:
        reopen_damaged(context)
    for name in STAGES:
        carry_out(name, context)
        if name == last:
            break


def locked_by_first(out: Path) -> AbstractContextManager[None]:
    """The lock on a run folder; where torchrun started several processes, the first holds it for all."""
    Run(out).require_usable()
    return locked(out) if os.environ.get("RANK", "0") == "0" else nullcontext()


def carry_out(name: str, context: Context) -> None:
    """One stage, unless it is done: training in all processes that torchrun started, any other in the first.

    The others wait and then read in the run folder what the first wrote.
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
    """Whether a stage is finished; `reopen_damaged` has let go of those whose files are damaged."""
    known = run.manifests()
    if known is None:
        return name in DONE and DONE[name](run)
    return name in known.by_stage


def reopen_damaged(context: Context) -> None:
    """Let each stage that has lost or damaged files be done again, the last first: they may share files."""
    run = context.run
    for name in reversed(STAGES):
        known = run.manifests()
        failing = known.failing(name) if known is not None and name in known.by_stage else []
        if failing and name != "report":
            context.log(f"{failing[0]} is not what the run wrote, so the stage {name} is done again.")
            run.reopen(name)


def save_tables(run: Run, **tables: Table) -> None:
    """Add tables to the run; a name that an interrupted stage already wrote is written anew."""
    run.save_evidence(Evidence(tables))
