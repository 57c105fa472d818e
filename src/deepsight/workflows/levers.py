"""The levers of a run: what a person could do about its errors, each tried against a control."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.array_types import Bools, Ints, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.files.atomic import read_npz, write_npz
from deepsight.core.run import Run
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.levers.base import Retraining
from deepsight.interpret.levers.ledger import ledger_shares_with_levers, ledger_with_levers
from deepsight.interpret.levers.runner import LeverTools, examine_levers
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import Pretrained, load_pretrained
from deepsight.model.retraining import Retrainer
from deepsight.obtain.cache import cache_folder
from deepsight.treat.treatments.capacity import DEEPER
from deepsight.workflows.context import Context
from deepsight.workflows.trained_model import load_trained

FOLDER = "levers"


@dataclass(frozen=True)
class StoredTrainings:
    """Finished trainings of a run's levers on disk, so that an interrupted stage goes on where it stopped."""

    folder: Path
    key: str

    def __call__(self, wanted: Retraining, train: Callable[[Retraining], Reals]) -> Reals:
        """The logits of a training: stored ones, or new ones that are stored."""
        path = self.folder / f"{self.name_of(wanted)}.npz"
        stored = read_npz(path)
        if stored is not None and "logits" in stored:
            return np.asarray(stored["logits"])
        logits = train(wanted)
        write_npz(path, logits=logits.astype(np.float32))
        return logits

    def name_of(self, wanted: Retraining) -> str:
        """A digest of all that defines a training."""
        parts = (wanted.seed, wanted.part, wanted.passes, wanted.resolution, wanted.backbone, self.key)
        digest = hashlib.sha256(repr(parts).encode())
        digest.update(wanted.rows.tobytes())
        return digest.hexdigest()[:16]


def examine_run_levers(context: Context, inputs_of: Callable[[Context], ExaminationInputs]) -> None:
    """Try the levers that the plan pays for, and put what they found into the ledger."""
    sizes = context.plan.lever_sizes
    if not sizes:
        return
    with context.stage("levers"):
        found = examine_levers(inputs_of(context), lever_tools(context), LeverSizes(**sizes), log=context.log)
        context.run.save_pictures(found.pictures)
        ledger = context.run.evidence()["ledger"]
        if "lever_errors" in found.evidence:
            merged = ledger_with_levers(ledger, found.evidence["lever_errors"])
            context.run.save_evidence(
                Evidence({"ledger": merged, "ledger_shares": ledger_shares_with_levers(merged)})
            )
        context.run.save_evidence(found.evidence)  # last: with it the stage counts as done


def lever_tools(context: Context) -> LeverTools:
    """What trains other models of this run, and what is known of its training rows."""
    run, plan, splits = context.run, context.plan, context.splits
    predictor = load_trained(run)

    def retrainer(rows: Ints) -> Retrainer:
        return Retrainer(
            predictor, splits, plan.recipe, splits.test.select(rows), partial(lever_backbone, context),
            FeatureCache(cache_folder() / "trunk"), context.fabric,
        )  # fmt: skip

    def retrain_of(rows: Ints) -> Callable[[Retraining], Reals]:
        own = retrainer(rows)
        stored = StoredTrainings(run.file(FOLDER), hashlib.sha256(rows.tobytes()).hexdigest())
        return lambda wanted: stored(wanted, partial(train_once, own))

    return LeverTools(
        predict=predictor.logits,
        retrainer=retrain_of,
        features=lambda rows: retrainer(np.arange(1)).features(rows),
        train_labels=splits.train.labels,
        train_ids=splits.train.ids,
        flagged=flagged_rows(run, splits.train.ids),
        resolution=plan.recipe.resolution,
        deeper=available_backbone(context, DEEPER.get(plan.backbone.partition(".")[0], "")),
    )


def train_once(retrainer: Retrainer, wanted: Retraining) -> Reals:
    """The training that a lever asks for."""
    # The order of a file must not matter, so rows are trained on in their own order.
    rows = np.sort(wanted.rows)
    if wanted.part == "last stage":
        return retrainer.last_stage(rows, wanted.seed, passes=wanted.passes)
    return retrainer.whole(
        rows, wanted.seed, passes=wanted.passes, resolution=wanted.resolution, backbone=wanted.backbone
    )


def lever_backbone(context: Context, name: str) -> Pretrained:
    """The run's own backbone for an empty name, else the named one with its own weights."""
    study = context.study
    if not name:
        return load_pretrained(
            context.plan.backbone, study.weights, allow_partial=study.allow_partial, offline=study.offline
        )
    return load_pretrained(name, offline=study.offline)


def flagged_rows(run: Run, ids: Ints) -> Bools:
    """Which training rows have a label that is flagged as wrong, bool (n,)."""
    table = run.evidence().get("label_errors")
    if table is None:
        return np.zeros(len(ids), dtype=bool)
    flagged = table.frame.filter(pl.col("flagged") & (pl.col("split") == "train"))["index"].to_numpy()
    return np.asarray(np.isin(ids, flagged))


def available_backbone(context: Context, name: str) -> str:
    """The name of a backbone whose weights can be had, else an empty one."""
    if not name:
        return ""
    try:
        lever_backbone(context, name)
    except DeepSightError:
        return ""
    return name
