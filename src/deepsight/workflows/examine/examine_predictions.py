"""Predictions in a file: examined as the answers of a model that somebody else made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from deepsight.config import ExaminedSource, StudyConfig
from deepsight.core.dataset import Dataset
from deepsight.core.environment import environment, peak_rss_mb
from deepsight.core.errors import UsageError
from deepsight.core.file_columns import file_names, with_files
from deepsight.core.files.lock import locked
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log
from deepsight.core.run import METRICS, REPORT, Run
from deepsight.interpret.examine import examine
from deepsight.obtain import Obtained
from deepsight.obtain.predictions.match import Listings
from deepsight.obtain.predictions.read import read_predictions
from deepsight.obtain.splits import split_digest
from deepsight.report.html import render
from deepsight.workflows.context import Context
from deepsight.workflows.examine.examination_inputs import judged_inputs
from deepsight.workflows.group_scores import with_suggested_groups
from deepsight.workflows.metrics import score_metrics

SPLITS = ("train", "val", "test", "all")
JUDGED = 0.6  # of the minutes go to a reference model, whose doubt is set beside the predictions


def examine_predictions(
    study: StudyConfig, file: str | Path, out: str | Path, *, split: str = "test", log: Log
) -> dict[str, Any]:
    """Examine the predictions in a file, and write a run folder with its report.

    Args:
        study: names the data, the seed and the gate.
        file: an .npz, CSV, TSV, Parquet or JSON Lines file (`obtain.predictions.read` says what it holds).
        out: the run folder.
        split: "test", "train", "val" where the data has such a part, or "all".
        log: receives what the work says; `print` shows it.

    Returns:
        The content of metrics.json.

    Raises:
        UsageError: the predictions cannot be read or matched, or there is no such split.
        DeepSightError: `out` holds another kind of run, or other data than it was made from.
    """
    if split not in SPLITS:
        raise UsageError(f"Expected --split as {', '.join(SPLITS)}, received '{split}'.")
    file, out = Path(file), Path(out)
    study = study.model_copy(update={"examined": ExaminedSource(predictions=file, split=split)})
    Run(out).require_usable()
    with locked(out):
        run = Run.create(out, study.stored())
        settled = run.study().get("fit", study.fit)  # by the first examination into this folder
        study = study.model_copy(update={"fit": settled})
        context = Context(run, study, log)
        context.run.reopen("examine")
        return examine_in(context, file, split)


def examine_in(context: Context, file: Path, split: str) -> dict[str, Any]:
    """The examination itself, in a run folder that no other process works in."""
    run, study, got, log = context.run, context.study, context.obtained, context.log
    context.save_data()
    listings = Listings(got.listed, got.named())
    matched = read_predictions(file, got.split(split), listings=listings, log=log)
    predictions, data = matched.predictions, matched.data
    notice = ""
    if not predictions.features.size:
        notice = f"{file.name} holds no features, so they were made with {context.pretrained.name}, frozen."
        log(notice)
    inputs = judged_inputs(
        context.pretrained, data.with_labels(predictions.labels), predictions,
        got.train if split in ("test", "val") else data.with_labels(predictions.labels), study.seed,
        seconds=JUDGED * 60 * study.minutes, log=log,
    )  # fmt: skip
    predictions = inputs.predictions
    learnt = [got.train] if split in ("test", "val") else []
    suggested = with_suggested_groups(data, learnt, predictions, taken=got.taken, seed=study.seed, log=log)
    found = examine(replace(inputs, test=suggested.test.with_labels(predictions.labels)))
    run.save_json("data.json", {**got.record, "examined": examined_record(data, split, got)})
    run.save_json("environment.json", environment())
    run.save_json("model.json", {"architecture": f"predictions in {file.name}", "notice": notice})
    run.save_predictions("test", predictions)
    run.save_pictures(found.pictures)
    names = file_names({"test": data, **inputs.others})
    run.save_evidence(with_files(found.evidence.merge(suggested.evidence), names))
    source = got.record.get("source")
    run.save_json(METRICS, external_metrics(predictions, data, study, file, source))
    render(run)
    run.commit("examine", also=[REPORT])
    return run.metrics()


def examined_record(data: Dataset, split: str, got: Obtained) -> dict[str, Any]:
    """Which images were examined: the split, how many, and their digest."""
    return {"split": split, "n": len(data), "digest": split_digest(data, got.digests.get(data.source))}


def external_metrics(
    predictions: Predictions, data: Dataset, study: StudyConfig, file: Path, source: Any
) -> dict[str, Any]:
    """The headline numbers of predictions that were given."""
    return {
        **score_metrics(predictions, study, data.groups),
        "backbone": file.name,
        "data_source": source,
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": {},
    }
