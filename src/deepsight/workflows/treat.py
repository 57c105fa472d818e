"""The closed loop on a finished run: prescribe, try, and diagnose the winner again."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from deepsight.core.evidence import Evidence, Table
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.interpret.examine import ledger_of
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import Pretrained, load_pretrained
from deepsight.obtain.cache import cache_folder
from deepsight.treat.cause_changes import ledger_change
from deepsight.treat.prescribe import prescribe
from deepsight.treat.treatments.catalogue import treatments
from deepsight.treat.trial import runner
from deepsight.treat.trial.checkpoints import Setting
from deepsight.workflows.context import Context
from deepsight.workflows.study import inputs_of, report_stage, run_until, save_tables


def treat_run(
    out: Path, *, minutes: float, names: Sequence[str] = (), enough: int = runner.ENOUGH,
    log: Log = silent,
) -> Evidence:  # fmt: skip
    """Prescribe treatments for a run, try them against a control, and diagnose the winner again.

    Args:
        out: the run folder; what an interrupted trial left there is used.
        minutes: of computation for the trial.
        names: of the treatments to try, in this order; empty for all that the evidence has a use for.
        enough: treatments that must fit into the time, if need be by training less of the network.
        log: receives what the work says; `print` shows it.

    Returns:
        The tables that were made.
    """
    context = run_until("interpret", out, log=log)
    run, plan, inputs = context.run, context.plan, inputs_of(context)
    save_tables(run, prescription=prescribe(run.evidence()))
    chosen = treatments(
        run.evidence(), run.predictions("val"), context.splits.train, plan.backbone, names=names
    )
    setting = Setting(
        splits=context.splits, recipe=plan.recipe, load=partial(other_backbone, context),
        cache=FeatureCache(cache_folder() / "trunk"), fabric=context.fabric,
    )  # fmt: skip
    found = runner.study(
        setting, chosen, folder=run.file("treatments"), minutes=minutes, enough=enough, log=log
    )
    evidence = found.evidence
    if found.control is not None and found.best is not None:
        labels = Evidence({name: run.evidence()[name] for name in ("label_errors", "ambiguity")})
        change = ledger_change(found.control, found.best, partial(ledger_under, inputs, labels))
        evidence = evidence.add(ledger_change=change)
    run.save_evidence(evidence)
    report_stage(context)
    return evidence


def other_backbone(context: Context, name: str) -> Pretrained:
    """The run's own backbone for an empty name, or another one with its own weights."""
    study = context.study
    if not name:
        own = context.plan.backbone
        return load_pretrained(own, study.weights, allow_partial=study.allow_partial, offline=study.offline)
    return load_pretrained(name, offline=study.offline, log=context.log)


def ledger_under(inputs: ExaminationInputs, labels: Evidence, predictions: Predictions) -> Table:
    """The ledger of other predictions on the same test images.

    Args:
        inputs: of the run.
        labels: the run's tables `label_errors` and `ambiguity`: whether a label is wrong or an image unclear
            does not depend on the model that is asked about it.
        predictions: of the other model.
    """
    pairs = confusion_pairs_table(predictions.labels, predictions.predicted, inputs.classes)
    return ledger_of(replace(inputs, predictions=predictions), labels.add(confusion_pairs=pairs))["ledger"]
