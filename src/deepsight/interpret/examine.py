"""The examination: from predictions alone, and further where the model itself is available."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats
from deepsight.core.dataset import select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import AskedModel
from deepsight.core.predictions import largest_probabilities
from deepsight.core.run import PICTURES
from deepsight.images import contact_sheet
from deepsight.interpret.background.background_errors import background_support
from deepsight.interpret.error_analysis.calibration import (
    calibration_summary_table,
    calibration_table,
    fit_temperature,
)
from deepsight.interpret.error_analysis.cause_shares import ledger_shares_table
from deepsight.interpret.error_analysis.causes import (
    Detectors,
    ledger_table,
    pair_support,
)
from deepsight.interpret.error_analysis.confusion import (
    confusion_direction_table,
    confusion_pairs_table,
    confusion_table,
)
from deepsight.interpret.error_analysis.confusion_clusters import confusion_clusters_table, draws_for
from deepsight.interpret.error_analysis.hypothesis_tests import hypotheses_table
from deepsight.interpret.error_analysis.misclassified import misclassified_table, suspected_labels
from deepsight.interpret.error_analysis.per_class import per_class_table
from deepsight.interpret.error_analysis.risk_coverage import rejection_tables
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.interpret.labels.ambiguity import ambiguity_table
from deepsight.interpret.labels.corrected_score import corrected_score_table
from deepsight.interpret.labels.label_errors import TRUSTED, label_error_tables
from deepsight.interpret.labels.sources import ExaminedSplit, affordable_part, gather_label_sources
from deepsight.interpret.labels.test_time_augmentation import augmented_logits
from deepsight.interpret.model_checks import look_inside
from deepsight.interpret.robustness import image_quality
from deepsight.interpret.slices.metadata import metadata_scores_table
from deepsight.interpret.slices.outliers import outliers_table
from deepsight.interpret.slices.slices import slices_table

DEFAULT = SampleSizes()
FEWEST = 5  # images: as many as the folds in which labels are judged


def examine(
    inputs: ExaminationInputs, model: AskedModel | None = None, sample_sizes: SampleSizes = DEFAULT
) -> Findings:
    """All findings about a model's predictions.

    Args:
        inputs: the predictions and what to compare them with.
        model: the model itself, or None where only its predictions are known. Then maps, reliance on the
            background and corruption robustness are not examined.
        sample_sizes: how many images the costly checks take.

    Raises:
        DeepSightError: there are fewer than five images.
    """
    if len(inputs.test) < FEWEST:
        raise DeepSightError(
            f"Expected at least {FEWEST} images to examine, received {len(inputs.test)}. Name a larger part, "
            "or all images."
        )
    alone = model if inputs.unseen is None else None  # of other folds' images it has seen the labels
    evidence = errors_of(inputs).merge(labels_of(inputs, alone)).merge(outliers_of(inputs))
    found = Findings(
        evidence, error_sheet(inputs, evidence["errors"].frame) | outlier_sheet(inputs, evidence)
    )
    if model is not None:
        found = found.merge(look_inside(inputs.of_unseen(), model, found.evidence, sample_sizes))
    sheet = suspect_sheet(inputs, found.evidence["label_errors"].frame)
    return found.merge(Findings(ledger_of(inputs, found.evidence), sheet))


def errors_of(inputs: ExaminationInputs) -> Evidence:
    """Confusion, recall of each class, calibration, what rejection buys, and the list of errors."""
    p, classes, seed, groups = inputs.predictions, inputs.classes, inputs.seed, inputs.test.groups
    probabilities = p.probabilities
    evidence = Evidence(
        {
            "confusion": confusion_table(p.labels, p.predicted, classes),
            "confusion_pairs": confusion_pairs_table(p.labels, p.predicted, classes, image_groups=groups),
            "confusion_direction": confusion_direction_table(
                p.labels, p.predicted, classes, image_groups=groups
            ),
            "confusion_clusters": confusion_clusters_table(
                p.labels, p.predicted, classes, inputs.groups, draws=draws_for(len(classes)), seed=seed
            ),
            "recall": per_class_table(p.labels, p.predicted, classes, inputs.groups, image_groups=groups),
            "hypotheses": hypotheses_table(
                inputs.hypotheses, p.labels, p.predicted, classes, image_groups=groups, seed=seed
            ),
            "calibration": calibration_table(probabilities, p.labels),
            "errors": misclassified_table(p.ids, p.labels, probabilities, classes),
        }
    )
    del probabilities  # of 100,000 images and 1,000 classes they take 0.8 GB
    if inputs.validation is not None:
        val = inputs.validation
        summary = calibration_summary_table(p.logits, p.labels, val.logits, val.labels, seed=seed)
        rejection = rejection_tables(p.logits, p.labels, val.logits, val.labels, seed=seed)
        evidence = evidence.add(calibration_summary=summary, **rejection)
    return evidence.add(**slices_of(inputs))


def slices_of(inputs: ExaminationInputs) -> dict[str, Table]:
    """Groups of images on which the model fails more often than on their classes as a whole."""
    p, classes = inputs.predictions, inputs.classes
    found = slices_table(
        inputs.slice_properties, p.labels, p.predicted, classes, p.ids,
        features=inputs.more.get("frozen", p.features), doubt=calibrated_doubt(inputs),
        image_groups=inputs.test.groups, seed=inputs.seed,
    )  # fmt: skip
    quality = image_quality.image_quality_table(
        quality_risk(inputs), inputs.properties, p.labels, p.predicted, classes
    )
    tables = {"slices": found, "image_quality": quality}
    if inputs.test.metadata is not None:
        scores = metadata_scores_table(
            inputs.test.metadata, p.labels, p.predicted, groups=inputs.test.groups, seed=inputs.seed
        )
        return tables if scores is None else {**tables, "metadata_scores": scores}
    return tables


def outliers_of(inputs: ExaminationInputs) -> Evidence:
    """Test images unlike the training images; nothing where no network saw both."""
    p = inputs.predictions
    if "training_distance" not in inputs.properties.columns:
        return Evidence()
    distance = inputs.properties["training_distance"].to_numpy()
    return Evidence({"outliers": outliers_table(distance, p.ids, p.labels, p.predicted, inputs.classes)})


def calibrated_doubt(inputs: ExaminationInputs) -> Floats:
    """1 minus the confidence in each test image (n,), with the temperature that validation gives."""
    p, seen = inputs.predictions, inputs.validation
    temperature = 1.0 if seen is None else fit_temperature(seen.logits, seen.labels)
    return np.asarray(1 - largest_probabilities(p.logits, temperature))


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


def labels_of(inputs: ExaminationInputs, model: AskedModel | None = None) -> Evidence:
    """Label errors, ambiguous images, and the score with the label errors corrected.

    Where the model itself is available, it predicts unclear images again under test-time augmentation.
    """
    k = len(inputs.classes)
    parts = inputs.label_parts()
    sizes = {name: len(part.ids) for name, part in parts.items()}
    looked_at = {name: affordable_part(part, k, seed=inputs.seed) for name, part in parts.items()}
    del parts  # of many images they are much larger than what is looked at
    opinion = gather_label_sources(looked_at, k, seed=inputs.seed)
    evidence = Evidence(label_error_tables(opinion, inputs.classes))
    score = score_without_flags(inputs, evidence["label_errors"].frame.filter(split="test"))
    looks = {} if model is None else {"test": second_looks(inputs, looked_at["test"], model)}
    unsure = ambiguity_table(opinion, inputs.classes, views=looks)
    return with_note(evidence.add(ambiguity=unsure, corrected_score=score), sample_note(sizes, looked_at, k))


def score_without_flags(inputs: ExaminationInputs, suspected: pl.DataFrame) -> Table:
    """The score with the flagged labels of the test images left out or corrected."""
    p = inputs.predictions
    flagged, suggested = of_rows(suspected, "flagged", p.ids), of_rows(suspected, "suggested", p.ids)
    place = {name: i for i, name in enumerate(inputs.classes)}
    named = np.array([place.get(name, 0) for name in suggested])
    return corrected_score_table(p.labels, p.predicted, flagged.astype(bool), named, len(inputs.classes))


def second_looks(inputs: ExaminationInputs, part: ExaminedSplit, model: AskedModel) -> Floats:
    """What the model says of altered copies of the test images whose labels are examined."""
    assert part.probabilities is not None
    whole = len(part.ids) == len(inputs.test)
    data = inputs.test if whole else select_ids(inputs.test, part.ids)
    return augmented_logits(data, part.probabilities, model.logits)


def sample_note(sizes: Mapping[str, int], looked_at: Mapping[str, ExaminedSplit], k: int) -> str:
    """Which splits were looked at in part, and why; empty where all images were."""
    sampled = [
        f"{len(looked_at[name].ids):,} of {n:,} {name} images"
        for name, n in sizes.items()
        if len(looked_at[name].ids) < n
    ]
    if not sampled:
        return ""
    return f" Only {' and '.join(sampled)}, chosen at random, were looked at: {k:,} classes make each costly."


def with_note(evidence: Evidence, note: str) -> Evidence:
    """The tables with a sentence more in their captions."""
    if not note:
        return evidence
    return Evidence({name: replace(table, caption=table.caption + note) for name, table in evidence.items()})


def ledger_of(inputs: ExaminationInputs, evidence: Evidence) -> Evidence:
    """Each error with the probabilities of its causes, and the share of each cause."""
    background = evidence.get("background_errors")
    p = inputs.predictions
    support = image_quality.quality_support(quality_risk(inputs), inputs.properties, p.labels)
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
    """What is known of the labels of these images of a split: how likely wrong, and how likely disputed."""
    labels, unsure = (evidence[name].frame.filter(split=split) for name in ("label_errors", "ambiguity"))
    trusted = labels_trusted(evidence, split)
    # Of an image that was not looked at, nothing is known: nobody accuses its label.
    return Detectors(
        label_error=np.nan_to_num(of_rows(labels, "score", ids)) if trusted else None,
        ambiguity=differing_people(unsure, ids),
    )


def differing_people(unsure: pl.DataFrame, ids: NDArray[np.int64]) -> Floats | None:
    """How likely people differ over each image (n,); None where the sources cannot tell.

    Args:
        unsure: rows of the table `ambiguity`; runs of earlier versions hold the doubt of the surest source.
        ids: of the images.
    """
    column = "people_differ" if "people_differ" in unsure.columns else "surest_differ"
    likely = of_rows(unsure, column, ids).astype(np.float64)
    return (
        None if np.isnan(likely).all() else np.nan_to_num(likely)
    )  # of what was not looked at, nothing is known


def labels_trusted(evidence: Evidence, split: str = "test") -> bool:
    """Whether the sources agree with enough labels to be heard about wrong ones; if not, nobody looked."""
    summary = evidence.get("label_error_summary")
    if summary is None:
        return True
    agreement = summary.frame.filter(pl.col("split") == split)["agreement"]
    return bool((agreement >= TRUSTED).all())


def of_rows(frame: pl.DataFrame, column: str, ids: NDArray[np.int64]) -> NDArray[Any]:
    """A column in the order of these ids."""
    wanted = pl.DataFrame({"index": ids})
    return wanted.join(frame.select("index", column), on="index", how="left", maintain_order="left")[
        column
    ].to_numpy()


def error_sheet(inputs: ExaminationInputs, frame: pl.DataFrame) -> dict[str, bytes]:
    """The thumbnails of the misclassified images, in the order of the table `errors`."""
    if frame.is_empty():
        return {}
    images = inputs.pixels_of("test", frame["index"].to_numpy())
    return {f"{PICTURES}/errors.webp": contact_sheet.webp_sheet(contact_sheet.contact_sheet(images))}


def outlier_sheet(inputs: ExaminationInputs, evidence: Evidence) -> dict[str, bytes]:
    """The thumbnails of the outliers, in the order of the table `outliers`."""
    table = evidence.get("outliers")
    if table is None or table.frame.is_empty():
        return {}
    images = inputs.pixels_of("test", table.frame["index"].to_numpy())
    return {f"{PICTURES}/outliers.webp": contact_sheet.webp_sheet(contact_sheet.contact_sheet(images))}


def suspect_sheet(inputs: ExaminationInputs, frame: pl.DataFrame) -> dict[str, bytes]:
    """The thumbnails of the suspected labels, in the order of `suspected_labels`."""
    rows = suspected_labels(frame).select("split", "index").rows()
    if not rows:
        return {}
    images = np.concatenate([inputs.pixels_of(split, np.array([index])) for split, index in rows])
    return {f"{PICTURES}/label_errors.webp": contact_sheet.webp_sheet(contact_sheet.contact_sheet(images))}
