"""Treat a finished run: prescribe treatments, try them, and diagnose the winner."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.config import MOST_MINUTES
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.errors import UsageError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.interpret.error_ledger import ledger_of, quality_risk
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.model.feature_cache import FeatureCache
from deepsight.obtain.cache import cache_folder
from deepsight.scrub.duplicates.repeated_rows import cluster_members
from deepsight.treat.cause_changes import ledger_change_table
from deepsight.treat.prescribe import prescription_table
from deepsight.treat.treatments.catalogue import treatments_for_run
from deepsight.treat.trial import runner
from deepsight.treat.trial.checkpoints import TrialConfig
from deepsight.treat.trial.leakage_effect import Leakage
from deepsight.workflows.stages import inputs_of_run, report_stage, save_tables
from deepsight.workflows.study import locked_by_first, run_until
from deepsight.workflows.study_context import Context, fresh_backbone


def treat(
    run_folder: str | Path, *, minutes: float, names: Sequence[str] = (),
    min_treatments: int = runner.MIN_TREATMENTS,
    log: Log = silent,
) -> Evidence:  # fmt: skip
    """Prescribe treatments for a run, try them against a control, and diagnose the winner.

    Args:
        run_folder: the run folder; the results of an interrupted trial there are reused.
        minutes: time for the trial, above 0.
        names: the treatments to try, in this order; empty for all that the evidence calls for.
        min_treatments: treatments that must fit into the time, if necessary by training less of the network.
        log: receives progress and warnings; `print` shows them.

    Returns:
        The new tables, among them `treatments`: one row per treatment with its effect and verdict.

    Raises:
        UsageError: the minutes are out of range, or a treatment is unknown.
        DeepSightError: there is no run, or it is not a study.

    Example:
        >>> from deepsight import treat
        >>> tables = treat("runs/photos", minutes=2, names=["mixup"])
        >>> list(tables["treatments"].frame["name"])
        ['mixup']
    """
    if not 0 < minutes < MOST_MINUTES:
        raise UsageError(f"Expected --minutes above 0 and below {MOST_MINUTES:g}, received {minutes}.")
    Run.open(run_folder)
    with locked_by_first(Path(run_folder)):
        return treat_alone(Path(run_folder), minutes, names, min_treatments, log)


def treat_alone(
    run_folder: Path, minutes: float, names: Sequence[str], min_treatments: int, log: Log
) -> Evidence:
    """The same, in a locked run folder."""
    context = run_until("levers", run_folder, log=log)
    run, plan, inputs = context.run, context.plan, inputs_of_run(context)
    run.reopen("treat")
    save_tables(run, prescription=prescription_table(run.evidence().get("levers")))
    chosen = treatments_for_run(
        run.evidence(), run.predictions("val"), context.splits.train, plan.backbone, names=names
    )
    config = TrialConfig(
        splits=context.splits, recipe=plan.recipe, load=partial(fresh_backbone, context, log=context.log),
        cache=FeatureCache(cache_folder() / "trunk", log=log), fabric=context.fabric,
    )  # fmt: skip
    found = runner.run_trial(
        config, chosen, folder=run.file("treatments"), minutes=minutes, min_treatments=min_treatments,
        leakage=leakage_of(context), log=log,
    )  # fmt: skip
    evidence = found.evidence
    if found.control is not None and found.best is not None:
        labels = Evidence(
            {name: run.evidence()[name] for name in ("label_errors", "label_error_summary", "ambiguity")}
        )
        change = ledger_change_table(found.control, found.best, partial(ledger_under, inputs, labels))
        evidence = evidence.add(ledger_change=change)
    run.save_evidence(evidence)
    run.commit("treat")
    report_stage(context)
    return evidence


def leakage_of(context: Context) -> Leakage | None:
    """The training images that were dropped as near-duplicates of test images; None if they were kept."""
    found = leakage_between(context.official["train"], context.run.evidence()["duplicates"])
    return None if np.isin(context.splits.train.ids, found.rows.ids).any() else found


def leakage_between(train: Dataset, duplicates: Table) -> Leakage:
    """The training images that are near-duplicates of test images.

    Args:
        train: the official training images.
        duplicates: the evidence table of that name, of these images and the test images.
    """
    members = cluster_members(duplicates)
    both = [members.filter(split=name).rename({"cluster": f"{name}_cluster"}) for name in ("train", "test")]
    common = set(both[0]["train_cluster"]) & set(both[1]["test_cluster"])
    (ids, row_cluster), (test, test_cluster) = (
        part.filter(pl.col(f"{name}_cluster").is_in(list(common))).sort("index")
        .select(pl.col("index", f"{name}_cluster").cast(pl.Int64)).to_numpy().T
        for name, part in zip(("train", "test"), both, strict=True)
    )  # fmt: skip
    return Leakage(select_ids(train, ids), row_cluster, test, test_cluster)


def ledger_under(inputs: ExaminationInputs, labels: Evidence, predictions: Predictions) -> Table:
    """The ledger of another model's predictions on the same test images.

    Args:
        inputs: of the run.
        labels: the run's tables about labels, which do not depend on the model.
        predictions: of the other model.
    """
    pairs = confusion_pairs_table(predictions.labels, predictions.predicted, inputs.classes)
    answered = replace(inputs, predictions=predictions)
    return ledger_of(answered, labels.add(confusion_pairs=pairs), quality_risk(answered))["ledger"]
