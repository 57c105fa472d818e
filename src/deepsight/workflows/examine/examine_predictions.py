"""`deepsight examine --predictions`: a file of predictions, examined into a run folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from deepsight.config import ExaminedSource, StudyConfig
from deepsight.core.environment import environment
from deepsight.core.errors import UsageError
from deepsight.core.file_columns import file_names, with_files
from deepsight.core.files.lock import locked
from deepsight.core.progress import Log
from deepsight.core.run import METRICS, REPORT, Run
from deepsight.interpret.examine import examine_inputs
from deepsight.obtain.predictions.match import Listings
from deepsight.obtain.predictions.read import read_predictions
from deepsight.report.html import render
from deepsight.workflows.examine.budget import JUDGED
from deepsight.workflows.examine.examination_inputs import judged_inputs
from deepsight.workflows.examine.write_run import examined_record, external_metrics
from deepsight.workflows.group_scores import with_suggested_groups
from deepsight.workflows.refused_run import removed_if_refused
from deepsight.workflows.study_context import Context

SPLITS = ("train", "val", "test", "all")


def examine_predictions(
    study: StudyConfig, file: str | Path, out: str | Path, *, split: str = "test", log: Log
) -> dict[str, Any]:
    """Examine the predictions in a file, and write a run folder with its report.

    Args:
        study: names the data, the seed and the gate.
        file: an .npz, CSV, TSV, Parquet or JSON Lines file (`obtain.predictions.read` says what it holds).
        out: the run folder.
        split: "test", "train", "val" where the data has such a part, or "all".
        log: receives progress and warnings; `print` shows them.

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
    with removed_if_refused(out, until=METRICS), locked(out):
        run = Run.create(out, study.stored())
        settled = run.study().get("fit", study.fit)  # as the first examination into this folder chose it
        study = study.model_copy(update={"fit": settled})
        context = Context(run, study, log)
        context.run.reopen("examine")
        return examine_in(context, file, split)


def examine_in(context: Context, file: Path, split: str) -> dict[str, Any]:
    """The examination itself, in a locked run folder."""
    run, study, got, log = context.run, context.study, context.obtained, context.log
    context.save_data()
    listings = Listings(got.listed, got.named())
    matched = read_predictions(file, got.split(split), listings=listings, log=log)
    predictions, data = matched.predictions, matched.data
    notices = [matched.doubt] if matched.doubt else []
    if not predictions.features.size:
        notices.append(
            f"{file.name} holds no features, so they were made with {context.pretrained.name}, frozen."
        )
        log(notices[-1])
    inputs = judged_inputs(
        context.pretrained, data.with_labels(predictions.labels), predictions,
        got.train if split in ("test", "val") else data.with_labels(predictions.labels), study.seed,
        seconds=JUDGED * 60 * study.minutes, log=log,
    )  # fmt: skip
    predictions = inputs.predictions
    learnt = [got.train] if split in ("test", "val") else []
    suggested = with_suggested_groups(data, learnt, predictions, taken=got.taken, seed=study.seed, log=log)
    found = examine_inputs(replace(inputs, test=suggested.test.with_labels(predictions.labels)))
    run.save_json("data.json", {**got.record, "examined": examined_record(data, split, got)})
    run.save_json("environment.json", environment())
    run.save_json("model.json", {"architecture": f"predictions in {file.name}", "notice": " ".join(notices)})
    run.save_predictions("test", predictions)
    run.save_pictures(found.pictures)
    names = file_names({"test": data, **inputs.others})
    run.save_evidence(with_files(found.evidence.merge(suggested.evidence), names))
    source = got.record.get("source")
    metrics = external_metrics(predictions, data.groups, study, name=file.name, source=source)
    run.save_json(METRICS, metrics)
    render(run)
    run.commit("examine", also=[REPORT])
    return run.metrics()
