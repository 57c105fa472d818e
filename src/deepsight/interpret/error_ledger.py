"""The ledger of causes, from the tables of an examination."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats
from deepsight.core.evidence import Evidence
from deepsight.interpret.background.background_errors import background_support
from deepsight.interpret.error_analysis.cause_shares import ledger_shares_table
from deepsight.interpret.error_analysis.causes import Detectors, ledger_table, pair_support
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.label_errors import TRUSTED
from deepsight.interpret.robustness import image_quality


def ledger_of(inputs: ExaminationInputs, evidence: Evidence, risk: image_quality.QualityRisk) -> Evidence:
    """Each error with the probabilities of its causes, and the share of each cause.

    Args:
        inputs: the predictions and what to compare them with.
        evidence: tables `confusion_pairs`, `label_errors` and `ambiguity`, and `background_errors` if the
            model was examined.
        risk: from `quality_risk`.
    """
    background = evidence.get("background_errors")
    p = inputs.predictions
    support = image_quality.quality_support(risk, inputs.properties, p.labels)
    detectors = replace(
        label_detectors(evidence, "test", p.ids),
        twins=inputs.conflicting_twins,
        degraded=support,
        background=None if background is None else background_support(background, p.ids),
        pairs=pair_support(p.labels, p.predicted, inputs.classes, evidence["confusion_pairs"].frame),
        leaks_kept=inputs.leaks_kept,
    )
    table = ledger_table(p.labels, p.predicted, inputs.classes, p.ids, detectors)
    return Evidence({"ledger": table, "ledger_shares": ledger_shares_table(table)})


def label_detectors(evidence: Evidence, split: str, ids: NDArray[np.int64]) -> Detectors:
    """Supports for these images of a split: how likely each label is wrong, and how likely disputed."""
    labels, unsure = (evidence[name].frame.filter(split=split) for name in ("label_errors", "ambiguity"))
    trusted = labels_trusted(evidence, split)
    # The label of an image that was not examined counts as right.
    return Detectors(
        label_error=np.nan_to_num(of_rows(labels, "score", ids)) if trusted else None,
        ambiguity=differing_people(unsure, ids),
    )


def differing_people(unsure: pl.DataFrame, ids: NDArray[np.int64]) -> Floats | None:
    """How likely people differ over each image (n,), 0 if not examined; None where the sources cannot tell.

    Args:
        unsure: rows of the table `ambiguity`; runs of earlier versions hold the doubt of the surest source.
        ids: of the images.
    """
    column = "people_differ" if "people_differ" in unsure.columns else "surest_differ"
    likely = of_rows(unsure, column, ids).astype(np.float64)
    return None if np.isnan(likely).all() else np.nan_to_num(likely)


def labels_trusted(evidence: Evidence, split: str = "test") -> bool:
    """Whether the sources agree with enough labels to be trusted about wrong ones."""
    summary = evidence.get("label_error_summary")
    if summary is None:
        return True
    agreement = summary.frame.filter(pl.col("split") == split)["agreement"]
    return bool((agreement >= TRUSTED).all())


def of_rows(frame: pl.DataFrame, column: str, ids: NDArray[np.int64]) -> NDArray[Any]:
    """A column in the order of these ids; null or NaN where the frame has no such row."""
    wanted = pl.DataFrame({"index": ids})
    joined = wanted.join(frame.select("index", column), on="index", how="left", maintain_order="left")
    return joined[column].to_numpy()


def quality_risk(inputs: ExaminationInputs) -> image_quality.QualityRisk:
    """How the risk of an error grows with faults of the image, fitted on validation where there is one.

    Otherwise it is fitted on the test images themselves, which a handful of slopes cannot memorise.
    """
    measured, seen = inputs.validation_properties, inputs.validation
    if measured is None or seen is None:
        measured, seen = inputs.properties, inputs.predictions
    return image_quality.fit_quality_risk(
        measured, seen.labels, seen.labels != seen.predicted, len(inputs.classes)
    )
