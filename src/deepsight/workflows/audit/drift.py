"""Drift of the audited images from a run's test images: in properties, features and predictions."""

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.groups import joined_groups
from deepsight.core.predictions import Predictions, largest_probabilities
from deepsight.explore.drift.features import feature_drift_table
from deepsight.explore.drift.predictions import class_drift_table, familiarity_table
from deepsight.explore.drift.properties import property_drift_table
from deepsight.interpret.findings import Findings
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.workflows.audit.audited_data import AuditedData
from deepsight.workflows.audit.reference import ComparedRun, in_shape
from deepsight.workflows.predict.unfamiliarity import UNFAMILIAR

FEWEST = 20  # new images; with fewer only enormous drift would show


def drift_findings(data: AuditedData, compared: ComparedRun, *, seed: int) -> Findings:
    """The tables of drift, class by class as the model predicts them, so that new images need no labels."""
    if len(data) < FEWEST:
        return Findings.refused("drift", f"Fewer than {FEWEST} images are too few to show useful drift.")
    parts = [in_shape(part, compared.shape) for part in data.parts.values()]
    new = predictions_of_parts(
        [compared.predictor.predictions(part, name="audited images") for part in parts]
    )
    said, classes = compared.said, compared.classes
    both = said.predicted, new.predicted, classes
    properties = [measured_properties(part.images) for part in parts]
    tables = {
        "property_drift": property_drift_table(
            measured_properties(compared.test.images), pl.concat(properties), *both
        ),
        "class_drift": class_drift_table(*both),
        "familiarity": familiarity_table(
            compared.familiar.unfamiliarity(new.features) >= UNFAMILIAR,
            confidence(new, compared), new.predicted, confidence(said, compared), said.predicted, classes,
            expected=1 - UNFAMILIAR,
        ),
    }  # fmt: skip
    groups = groups_of_both(compared.test.groups, data.groups, (len(said), len(new)))
    drift = feature_drift_findings(
        half(said.features), half(new.features), said.predicted, new.predicted, classes,
        groups=groups, seed=seed,
    )  # fmt: skip
    return Findings(Evidence(tables)).merge(drift).merge(new_classes(data, classes))


def feature_drift_findings(
    before: Reals, now: Reals, classes_before: Ints, classes_now: Ints, classes: tuple[str, ...], *,
    groups: Ints | None, seed: int,
) -> Findings:  # fmt: skip
    """The table `feature_drift`, or why these images cannot show any; arguments as `feature_drift_table`."""
    try:
        table = feature_drift_table(
            before, now, classes_before, classes_now, classes,
            tell_apart=probability_of_new, groups=groups, seed=seed,
        )  # fmt: skip
    except DeepSightError as error:
        return Findings.refused("feature_drift", error)
    return Findings(Evidence({"feature_drift": table}))


def groups_of_both(before: Ints | None, now: Ints | None, sizes: tuple[int, int]) -> Ints | None:
    """The groups of the test images and the new ones, which share none: each data set has its own numbers."""
    if before is not None and now is not None:
        now = now - int(now.min(initial=0)) + int(before.max(initial=0)) + 1
    return joined_groups([before, now], sizes)


def half(features: Reals) -> Reals:
    """Features in the precision in which a run stores them, lest a classifier tell the sets apart by it."""
    return features.astype(np.float16)


def predictions_of_parts(predictions: list[Predictions]) -> Predictions:
    """The predictions for several splits, one after the other."""
    labels = np.zeros(sum(map(len, predictions)), dtype=np.int64)  # a model's classes may be others
    return Predictions(
        np.arange(len(labels)),
        labels,
        np.concatenate([each.logits for each in predictions]),
        np.concatenate([each.features for each in predictions]),
    )


def confidence(said: Predictions, compared: ComparedRun) -> Floats:
    """Calibrated probability of the predicted class, (n,)."""
    return largest_probabilities(said.logits, compared.temperature)


def probability_of_new(features: Reals, is_new: Ints, groups: Ints | None) -> Floats:
    """Out-of-fold probability that each row is new, (n,)."""
    return out_of_fold_probabilities(features, is_new, 2, groups=groups, seed=0)[:, 1]


def new_classes(data: AuditedData, classes: tuple[str, ...]) -> Findings:
    """A note if the audited data has classes that the run does not know."""
    unknown = sorted(set(data.classes) - set(classes)) if data.labelled else []
    if not unknown:
        return Findings()
    return Findings.refused(
        "classes", f"The run does not know {len(unknown)} classes of these images: {', '.join(unknown[:5])}."
    )


def training_images(data: AuditedData, compared: ComparedRun) -> Dataset:
    """The run's training images in the shape of the audited ones, to look for copies."""
    height, width = next(iter(data.parts.values())).images.shape[1:3]
    return in_shape(compared.train, (height, width))
