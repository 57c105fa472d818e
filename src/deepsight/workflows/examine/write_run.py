"""Writes the run folder of an examination: data, model, predictions, findings, metrics and report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepsight.config import ExaminedSource, StudyConfig
from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.environment import environment, peak_rss_mb
from deepsight.core.files.lock import locked
from deepsight.core.image_table import image_table, split_list
from deepsight.core.predictions import Predictions
from deepsight.core.run import METRICS, REPORT, Run
from deepsight.obtain import Obtained
from deepsight.obtain.splits import split_digest
from deepsight.report.html import render
from deepsight.workflows.examine.examination import ExaminedModel, with_names
from deepsight.workflows.metrics import score_metrics
from deepsight.workflows.study_context import rounded


def write_examination(
    study: StudyConfig,
    examined: ExaminedModel,
    about: Mapping[str, Any],
    out: Path,
    got: Obtained,
    split: str,
) -> dict[str, Any]:
    """Write a new run folder for the examination of a model.

    Args:
        study: the configuration.
        examined: what was found, on which images.
        about: the content of model.json.
        out: the run folder.
        got: the data set.
        split: the part of it that was examined.

    Returns:
        The content of metrics.json.
    """
    data, images = examined.data, image_table(got.named(), got.digests)
    mark = ExaminedSource(model=about["architecture"])
    Run(out).require_usable()
    with locked(out):
        run = Run.create(out, study.model_copy(update={"examined": mark}).stored())
        run.save_json("data.json", {**got.record, "examined": examined_record(data, split, got)})
        run.save_images(images)
        run.save_split_list(split_list(images, got.named()))
        run.save_json("environment.json", environment())
        run.save_json("model.json", dict(about))
        run.save_predictions("test", examined.predictions)
        run.save_pictures(examined.findings.pictures)
        run.save_evidence(with_names(examined.findings, data).evidence)
        metrics = external_metrics(
            examined.predictions,
            data.groups,
            study,
            name=about["architecture"],
            source=got.record.get("source"),
        )
        run.save_json(METRICS, {**metrics, "seconds": rounded(examined.seconds)})
        render(run)
        run.commit("examine", also=[REPORT])
        return run.metrics()


def examined_record(data: Dataset, split: str, got: Obtained) -> dict[str, Any]:
    """Which images were examined: the split, how many, and their digest."""
    return {"split": split, "n": len(data), "digest": split_digest(data, got.digests.get(data.source))}


def external_metrics(
    predictions: Predictions, groups: Ints | None, study: StudyConfig, *, name: str, source: Any
) -> dict[str, Any]:
    """The headline numbers of an external model or of its predictions.

    Args:
        predictions: for the examined images.
        groups: int64 (n,), the group of each image; the intervals are then over groups.
        study: the configuration, with the gate and the seed.
        name: of the model or of the file of predictions.
        source: of the data, as `data.json` names it.
    """
    return {
        **score_metrics(predictions, study, groups),
        "backbone": name,
        "data_source": source,
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": {},
    }
