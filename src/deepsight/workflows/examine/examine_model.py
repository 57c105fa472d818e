"""`deepsight examine --model`: an external model, examined into a run folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from deepsight.config import StudyConfig, as_path
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.run import METRICS
from deepsight.model.foreign.input_format import read_input_format
from deepsight.model.foreign.network import undisturbed
from deepsight.model.foreign.open import Opened, open_model, split_model_name
from deepsight.obtain import Obtained, load_dataset
from deepsight.workflows.examine.budget import TimeBudget
from deepsight.workflows.examine.examination import SpreadPasses, examine_fitted
from deepsight.workflows.examine.examine_run import examine_run
from deepsight.workflows.examine.examined_passes import pass_folder, spread_passes
from deepsight.workflows.examine.fit_model import FittedModel, fit_to_data
from deepsight.workflows.examine.named_model import NamedModel
from deepsight.workflows.examine.write_run import write_examination
from deepsight.workflows.group_scores import Suggestion, with_suggested_groups
from deepsight.workflows.passes.block_passes import LOCAL, require_engine


def examine_model(
    study: StudyConfig,
    what: str,
    out: Path,
    *,
    weights: Path | None = None,
    preprocess: Path | None = None,
    classes: Sequence[str] | None = None,
    split: str = "test",
    engine: str = LOCAL,
    log: Log = silent,
) -> dict[str, Any]:
    """Examine a model, and write a run folder with its report.

    Nothing is written before the model has been opened and fits the data.

    Args:
        study: names the data, the minutes, the seed and the gate.
        what: the model, as `--model` names it.
        out: the run folder, which must not hold a finished examination.
        weights: the user's own checkpoint, for `timm:`.
        preprocess: a YAML file with the attributes of `InputFormat`.
        classes: names of the outputs in their order.
        split: "test" or "train", the part to examine.
        engine: where the images are predicted: "local", "ray" or "ray://HOST:PORT".
        log: receives progress and warnings.

    Returns:
        The content of metrics.json.

    Raises:
        UsageError: the engine or the split is unknown, or an option does not apply to this model.
        DeepSightError: `out` holds a finished run, or the model cannot be opened or does not fit the data.
    """
    require_engine(engine)
    require_new(out, split)
    scheme, rest = split_model_name(what)
    if scheme == "run" and (weights or preprocess or classes):
        raise UsageError(
            "Expected no --weights, --preprocess or --classes with --model run:FOLDER: the run has its own."
        )
    got = load_dataset(
        study.data, data_dir=as_path(study.data_dir), fit=study.fit, offline=study.offline, log=log
    )
    if scheme == "run":
        return examine_run(study, Path(rest), got, out, split=split, engine=engine, log=log)
    budget = TimeBudget(study.minutes)
    opened = open_model(what, weights, offline=study.offline)
    budget = budget.for_network(opened.network)
    given = read_input_format(preprocess) if preprocess else opened.preprocess
    data = got.split(split)
    with undisturbed(opened.network.module):
        fitted = fit_to_data(
            opened.network, data, preprocess=given, classes=classes, seed=study.seed,
            seconds=budget.audit_seconds,
        )  # fmt: skip
        for warning in fitted.warnings:
            log(warning)
        kept = pass_folder(what, weights, fitted.input_format, got.record, split)
        named = NamedModel.of(fitted, what, weights, offline=study.offline)
        passes = spread_passes(data, got.record, engine, log)
        examined = examine_fitted(
            fitted, data, train=got.train, budget=budget, seed=study.seed, log=log, kept=kept,
            spread=None if passes is None else SpreadPasses(passes, named.open),
            suggest=partial(suggestion_for_examined, study, got, split, log),
        )  # fmt: skip
    about = model_record(opened, fitted, data, source=str(weights or rest))
    return write_examination(study, examined, about, out, got, split)


def require_new(out: Path, split: str) -> None:
    """Refuse an unknown part of the data, and a folder with a finished run.

    Raises:
        UsageError: the split is unknown.
        DeepSightError: the folder holds a finished run.
    """
    if split not in ("train", "test"):
        raise UsageError(f"Expected --split test or train, received '{split}'.")
    if (out / METRICS).exists():
        raise DeepSightError(f"{out} holds a finished run, which is never replaced. Choose another --out.")


def model_record(opened: Opened, fitted: FittedModel, data: Dataset, *, source: str) -> dict[str, Any]:
    """The content of model.json: architecture, weights, outputs and preprocessing."""
    return {
        "architecture": opened.network.name,
        "weights_source": source,
        "notice": opened.network.notice,
        "outputs": fitted.model.reading.kind,
        "preprocessing": None if fitted.input_format is None else fitted.input_format.describe(),
        "classes": list(data.classes),
    }


def suggestion_for_examined(
    study: StudyConfig, got: Obtained, split: str, log: Log, data: Dataset, p: Predictions
) -> Suggestion:
    """The score under the groups that file names or exposure times suggest."""
    learnt = [] if split == "train" else [got.train]
    return with_suggested_groups(data, learnt, p, taken=got.taken, seed=study.seed, log=log)
