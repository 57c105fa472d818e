"""The examination: from predictions alone, with further checks where the model itself is available."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats
from deepsight.core.dataset import select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.open_model import AskedModel
from deepsight.core.predictions import largest_probabilities
from deepsight.interpret.error_analysis.calibration import (
    calibrating_temperature,
    calibration_summary_table,
    calibration_table,
)
from deepsight.interpret.error_analysis.confusion import (
    confusion_direction_table,
    confusion_pairs_table,
    confusion_table,
)
from deepsight.interpret.error_analysis.confusion_clusters import confusion_clusters_table, draws_for
from deepsight.interpret.error_analysis.hypothesis_tests import hypotheses_table
from deepsight.interpret.error_analysis.misclassified import misclassified_table
from deepsight.interpret.error_analysis.per_class import per_class_table
from deepsight.interpret.error_analysis.risk_coverage import rejection_tables
from deepsight.interpret.error_ledger import ledger_of, of_rows, quality_risk
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes, SizesAt
from deepsight.interpret.labels.ambiguity import ambiguity_table
from deepsight.interpret.labels.corrected_score import corrected_score_table
from deepsight.interpret.labels.label_errors import label_error_tables, wrong_labels_by_split
from deepsight.interpret.labels.label_sources import ExaminedSplit, affordable_part, gather_label_sources
from deepsight.interpret.labels.test_time_augmentation import augmented_logits
from deepsight.interpret.model_checks import look_inside
from deepsight.interpret.robustness.image_quality import QualityRisk, image_quality_table
from deepsight.interpret.slices.metadata import metadata_scores_table
from deepsight.interpret.slices.outliers import outliers_table
from deepsight.interpret.slices.slices import slices_table
from deepsight.interpret.thumbnails import error_sheet, outlier_sheet, suspect_sheet

DEFAULT = SampleSizes()
FEWEST = 5  # images: as many as the folds in which labels are judged


def examine_inputs(
    inputs: ExaminationInputs, model: AskedModel | None = None, sample_sizes: SampleSizes | SizesAt = DEFAULT
) -> Findings:
    """All findings about a model's predictions.

    Args:
        inputs: the predictions and what to compare them with.
        model: the model itself, or None where only its predictions are known. Then maps, reliance on the
            background and corruption robustness are not examined.
        sample_sizes: how many images the costly checks take: fixed counts, or a function that is asked before
            each check, so that it can plan with the time that is left.

    Raises:
        DeepSightError: there are fewer than five images.
    """
    if len(inputs.test) < FEWEST:
        raise DeepSightError(
            f"Expected at least {FEWEST} images to examine, received {len(inputs.test)}. Name a larger part, "
            "or all images."
        )
    alone = model if inputs.unseen is None else None  # it was trained on the labels of other folds' images
    sizes_at = (lambda _: sample_sizes) if isinstance(sample_sizes, SampleSizes) else sample_sizes
    risk = quality_risk(inputs)
    again = 0 if alone is None else sizes_at("ambiguity").augmented_images
    evidence = errors_of(inputs, risk).merge(labels_of(inputs, alone, again)).merge(outliers_of(inputs))
    found = Findings(
        evidence, error_sheet(inputs, evidence["errors"].frame) | outlier_sheet(inputs, evidence)
    )
    if model is not None:
        found = found.merge(look_inside(inputs.of_unseen(), model, found.evidence, sizes_at))
    sheet = suspect_sheet(inputs, found.evidence["label_errors"].frame)
    return found.merge(Findings(ledger_of(inputs, found.evidence, risk), sheet))


def errors_of(inputs: ExaminationInputs, risk: QualityRisk) -> Evidence:
    """Confusion, recall of each class, calibration, rejection, slices, and the list of errors."""
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
    del probabilities  # 0.8 GB for 100,000 images and 1,000 classes
    if inputs.validation is not None:
        val = inputs.validation
        summary = calibration_summary_table(p.logits, p.labels, val.logits, val.labels, seed=seed)
        rejection = rejection_tables(p.logits, p.labels, val.logits, val.labels, seed=seed)
        evidence = evidence.add(calibration_summary=summary, **rejection)
    return evidence.add(**slices_of(inputs, risk))


def slices_of(inputs: ExaminationInputs, risk: QualityRisk) -> dict[str, Table]:
    """Slices, effects of image quality, and scores by the metadata where there is any."""
    p, classes = inputs.predictions, inputs.classes
    found = slices_table(
        inputs.slice_properties, p.labels, p.predicted, classes, p.ids,
        features=inputs.more.get("frozen", p.features), doubt=calibrated_doubt(inputs),
        image_groups=inputs.test.groups, seed=inputs.seed,
    )  # fmt: skip
    quality = image_quality_table(risk, inputs.properties, p.labels, p.predicted, classes)
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
    """1 minus the confidence in each test image (n,), calibrated by a temperature fitted on validation."""
    p, seen = inputs.predictions, inputs.validation
    temperature = 1.0 if seen is None else calibrating_temperature(seen.logits, seen.labels)
    return np.asarray(1 - largest_probabilities(p.logits, temperature))


def labels_of(inputs: ExaminationInputs, model: AskedModel | None = None, again: int = 0) -> Evidence:
    """Label errors, ambiguous images, and the score with the label errors corrected.

    Where the model itself is available, it predicts `again` unclear images under test-time augmentation.
    """
    k = len(inputs.classes)
    parts = inputs.label_parts()
    sizes = {name: len(part.ids) for name, part in parts.items()}
    looked_at = {name: affordable_part(part, k, seed=inputs.seed) for name, part in parts.items()}
    del parts  # much larger than the part examined where images are many
    opinion = gather_label_sources(looked_at, k, seed=inputs.seed)
    wrong = wrong_labels_by_split(opinion)
    evidence = Evidence(label_error_tables(opinion, inputs.classes, wrong=wrong))
    score = score_without_flags(inputs, evidence["label_errors"].frame.filter(split="test"))
    looks = {}
    if model is not None and again:
        looks["test"] = second_looks(inputs, looked_at["test"], model, again)
    probabilities = {name: each.probability for name, each in wrong.items()}
    unsure = ambiguity_table(opinion, inputs.classes, views=looks, wrong=probabilities)
    return with_note(evidence.add(ambiguity=unsure, corrected_score=score), sample_note(sizes, looked_at, k))


def score_without_flags(inputs: ExaminationInputs, suspected: pl.DataFrame) -> Table:
    """The score with the flagged labels of the test images left out or corrected."""
    p = inputs.predictions
    flagged, suggested = of_rows(suspected, "flagged", p.ids), of_rows(suspected, "suggested", p.ids)
    place = {name: i for i, name in enumerate(inputs.classes)}
    named = np.array([place.get(name, 0) for name in suggested])
    return corrected_score_table(p.labels, p.predicted, flagged.astype(bool), named, len(inputs.classes))


def second_looks(inputs: ExaminationInputs, part: ExaminedSplit, model: AskedModel, most: int) -> Floats:
    """The model's logits of altered copies of at most so many test images whose labels are examined."""
    assert part.probabilities is not None
    whole = len(part.ids) == len(inputs.test)
    data = inputs.test if whole else select_ids(inputs.test, part.ids)
    return augmented_logits(data, part.probabilities, model.logits, most=most)


def sample_note(sizes: Mapping[str, int], looked_at: Mapping[str, ExaminedSplit], k: int) -> str:
    """Which splits were examined in part, and why; empty where all images were."""
    sampled = [
        f"{len(looked_at[name].ids):,} of {n:,} {name} images"
        for name, n in sizes.items()
        if len(looked_at[name].ids) < n
    ]
    if not sampled:
        return ""
    return f" Only {' and '.join(sampled)}, chosen at random, were examined: {k:,} classes make each costly."


def with_note(evidence: Evidence, note: str) -> Evidence:
    """The tables with a sentence added to their captions."""
    if not note:
        return evidence
    return Evidence({name: replace(table, caption=table.caption + note) for name, table in evidence.items()})
