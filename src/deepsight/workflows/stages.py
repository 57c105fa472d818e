"""The stages of a study, one function each; `study.py` decides which of them run.

Every stage reads what the stages before it left in the run folder, and stores there what it finds.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from deepsight.config import StudyPlan
from deepsight.core.dataset import Dataset, Splits, select_ids
from deepsight.core.environment import environment, peak_rss_mb
from deepsight.core.evidence import Evidence, Table
from deepsight.core.hypothesis import from_json, to_json
from deepsight.core.image_table import image_table, split_list
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, StageStarted
from deepsight.core.run import METRICS, REPORT, Run
from deepsight.explore.describe import describe_data
from deepsight.explore.hypotheses import register_hypotheses
from deepsight.interpret.examine import examine_inputs
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.label_sources import ExaminedSplit
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.model_file import MODEL_FILES, save_model
from deepsight.model.training.fit import Fitted, fit_model
from deepsight.obtain.cache import cache_folder
from deepsight.obtain.splits import split_digest
from deepsight.report.html import render
from deepsight.scrub.clean import clean_splits
from deepsight.scrub.duplicates.pictures import duplicate_pictures
from deepsight.scrub.duplicates.repeated_rows import repeated_rows
from deepsight.scrub.label_conflicts import conflict_probability
from deepsight.workflows.folds import (
    copied_backbone,
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
from deepsight.workflows.passes.block_work import Arrays
from deepsight.workflows.passes.study_passes import look_at_test_images, with_measures
from deepsight.workflows.planning.examination_sizes import sample_sizes_of_plan
from deepsight.workflows.planning.study_pace import pace_examination, pace_levers, pace_training
from deepsight.workflows.planning.study_plan import (
    SAMPLE,
    make_plan,
    study_interpolation,
    with_interpolation,
)
from deepsight.workflows.study_context import Context, rounded
from deepsight.workflows.trained_model import load_trained

# Validation images, in all or per class, whichever gives more: further ones choose no better and cost time.
MOST_VALIDATION, MOST_OF_CLASS = 2_500, 50


def obtain_stage(context: Context) -> None:
    """Obtain the data from the first source that has it; store its digests and counts in data.json."""
    with context.stage("obtain"):
        context.save_data()
        context.run.save_json("environment.json", environment())


def scrub_stage(context: Context) -> None:
    """Split the data without leakage, plan for this machine, and choose the interpolation."""
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
    """The share of the training images for validation: as asked, but no more images than it needs."""
    return min(asked, max(MOST_VALIDATION, MOST_OF_CLASS * train.k) / len(train))


def explore_stage(context: Context) -> None:
    """Describe the data, and register hypotheses about the model before there is one."""
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
    """Continue with this plan, and store it in study.yaml, from which the study can be repeated."""
    if plan != context.plan:
        context.study = context.study.model_copy(update={"plan": plan})
        context.run.save_study(context.study.stored())


def model_stage(context: Context) -> None:
    """Train the model, frozen phase and fine-tuning, and store its predictions for validation and test."""
    plan = context.plan
    began = time.perf_counter()
    context.log(StageStarted("train"))
    splits = context.splits
    untouched = context.frozen  # a copy: the training changes the backbone in place
    start = copied_backbone(context.pretrained) if plan.folds > 1 else context.pretrained
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
    """Join the predictions of the other folds' models to those of the first for the test part.

    Fine-tuned features of different models cannot be compared, so those of the pretrained backbone are kept.
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
    """Store the trained model, its history and its predictions.

    The features of training and test images from before fine-tuning are stored too: they judge the labels.

    Args:
        context: of the study.
        fitted: the trained model.
        look_at_test: returns the features of the test images, as `open_beside` does.
        seconds: of the training.
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
    """Store features from before fine-tuning, as predictions whose logits are all 0."""
    logits = np.zeros((len(data), data.k), dtype=np.float32)
    run.save_predictions(f"{name}_frozen", Predictions(data.ids, data.labels, logits, features))


def interpret_stage(context: Context) -> None:
    """Examine the model, and store the headline numbers in metrics.json."""
    run = context.run
    with context.stage("interpret"):
        adopt_plan(context, pace_examination(context))
        suggested = suggestion_for_run(context, context.log)
        inputs = with_measures(context, replace(inputs_of_run(context), test=suggested.test))
        predictor = load_trained(run)
        found = examine_inputs(inputs, predictor, sample_sizes_of_plan(context.plan))
        run.save_pictures(found.pictures)
        save_tables(run, **found.evidence, **suggested.evidence)
    run.save_json(METRICS, study_metrics(context))


def suggestion_for_run(context: Context, log: Log) -> Suggestion:
    """The test images, and their score under groups that names, times or near-duplicates suggest."""
    run, splits = context.run, context.splits
    learnt = [splits.train] if context.plan.folds == 1 else []  # each fold has other training images
    return with_suggested_groups(
        images_of_predictions(context), learnt, run.predictions("test"), taken=context.obtained.taken,
        pairs=run.evidence()["duplicates"].frame, seed=context.study.seed, log=log,
    )  # fmt: skip


def levers_stage(context: Context) -> None:
    """Try what a person could do about the errors, each lever against a control."""
    if context.plan.lever_sizes:
        adopt_plan(context, pace_levers(context))
        examine_run_levers(context, inputs_of_run)


def inputs_of_run(context: Context) -> ExaminationInputs:
    """The inputs of the examination of the run's model."""
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
        train=ExaminedSplit(
            train.ids, train.labels, None, train.features, "frozen",
            groups=select_ids(splits.train, train.ids).groups,
        ),
        others={"train": splits.train, "val": splits.validation},
        more={"frozen": run.predictions("test_frozen").features} if kept else {},
        conflicting_twins=conflict_probability(duplicates.frame, splits.test, context.official),
        leaks_kept=bool(np.isin(splits.train.ids, leaks).any()),
        hypotheses=from_json(run.read_json("hypotheses.json")),
        seed=context.study.seed,
    )  # fmt: skip


def inputs_of_folds(context: Context) -> ExaminationInputs:
    """The same for a study of folds: out-of-fold predictions; the stored model saw all but the first fold."""
    run, whole = context.run, images_of_predictions(context)
    own = np.flatnonzero(np.isin(whole.ids, context.splits.test.ids))
    return ExaminationInputs(
        test=whole, predictions=run.predictions("test"), unseen=own, seed=context.study.seed,
        hypotheses=from_json(run.read_json("hypotheses.json")),
    )  # fmt: skip


def report_stage(context: Context) -> None:
    """Render the report from the run folder; restore the index of tables and metrics.json if damaged."""
    run = context.run
    run.repair_index()
    if not run.holds(METRICS):
        context.log(f"{METRICS} is not what the run wrote, so it is computed again.")
        run.save_json(METRICS, study_metrics(context))
    with context.stage("report"):
        render(run)
    metrics = run.metrics()
    complete = {"total", *context.seconds} <= metrics["seconds"].keys()  # levers may have been tried later
    if not complete:
        seconds = {**context.seconds, "total": sum(context.seconds.values())}
        peak = max(peak_rss_mb(), metrics.get("peak_rss_mb", 0.0))
        run.save_json(METRICS, {**metrics, "seconds": rounded(seconds), "peak_rss_mb": peak})
        render(run)  # once more, with the time that it took
    run.commit("report", also=[REPORT])


def save_tables(run: Run, **tables: Table) -> None:
    """Add tables to the run; those that an interrupted stage already wrote are replaced."""
    run.save_evidence(Evidence(tables))
