"""The treatments for a run, built from its evidence, the most promising first."""

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from deepsight.core.dataset import Dataset, class_counts
from deepsight.core.errors import UsageError, near_names
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.treat.treatments import capacity, deduplicate, hard_examples, mixing, relabel, weighted_loss
from deepsight.treat.treatments.base import Treatment

CONFIRMED = 3  # levers that a trial confirms at most; more arms would leave less training for each


def treatments_for_run(
    evidence: Evidence, validation: Predictions, train: Dataset, backbone: str, *, names: Sequence[str] = ()
) -> list[Treatment]:
    """All treatments that this evidence calls for, in the order of the prescription.

    Confused pairs and weak classes come from validation, so that they do not depend on the test set.

    Args:
        evidence: its tables `levers`, `prescription`, `label_errors` and `duplicates` are used; any may be
            missing.
        validation: predictions of the run's model on the validation images.
        train: the training split of the run.
        backbone: the timm name of the run's backbone.
        names: the treatments to run, in this order; empty for all.

    Raises:
        UsageError: a name is unknown, or the evidence does not call for that treatment.
    """
    known = {t.name: t for t in [*recipe_treatments(validation, train), *data_treatments(evidence, train)]}
    known |= {t.name: t for t in capacity.deeper_backbone_treatments(backbone)}
    known |= {t.name: t for t in pixel_mixing_treatments()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"Expected treatments that fit this run, received '{unknown[0]}': "
            f"{near_names(unknown[0], list(known))}"
        )
    chosen = names or confirmed_levers(known, evidence) or in_prescribed_order(list(known), evidence)
    return [known[name] for name in chosen]


def confirmed_levers(known: Collection[str], evidence: Evidence) -> list[str]:
    """The treatments that confirm the levers that helped, at most three; none if no lever was tried.

    With few arms, a trial can train each of them longer.
    """
    if "levers" not in evidence or "prescription" not in evidence:
        return []
    prescribed = evidence["prescription"].frame["treatment"].unique(maintain_order=True).to_list()
    return [name for name in prescribed if name in known][:CONFIRMED]


def recipe_treatments(validation: Predictions, train: Dataset) -> list[Treatment]:
    """Treatments that change the recipe."""
    labels, predicted, k = validation.labels, validation.predicted, train.k
    found: list[Treatment] = [
        mixing.cutmix_treatment(),
        mixing.mixup_treatment(),
        weighted_loss.weighted_by_recall(labels, predicted, k),
        *weighted_loss.weighted_by_counts(class_counts(train.labels, train.classes)),
        capacity.higher_resolution_treatment(),
    ]
    table = confusion_pairs_table(labels, predicted, train.classes)
    pairs = hard_examples.confused_pairs(table.frame, train.classes)
    if pairs:
        found.insert(2, hard_examples.hard_examples_treatment(pairs))
    return found


def pixel_mixing_treatments() -> list[Treatment]:
    """Mixing of pixels as in the papers, for comparison with mixing cached feature maps."""
    return [mixing.mixup_treatment(mix_on="images"), mixing.cutmix_treatment(mix_on="images")]


def data_treatments(evidence: Evidence, train: Dataset) -> list[Treatment]:
    """Treatments that change the training data: for flagged labels and near-duplicates, if there are any."""
    found: list[Treatment] = []
    if "label_errors" in evidence:
        frame = evidence["label_errors"].frame
        if len(frame.filter(pl.col("flagged") & (pl.col("split") == "train"))):
            found.append(relabel.relabel_treatment(frame, train.classes))
            found.append(relabel.relabel_treatment(frame, train.classes, action="drop"))
    if "duplicates" in evidence:
        frame = evidence["duplicates"].frame
        if len(frame.filter((pl.col("split_a") == "train") & (pl.col("split_b") == "train"))):
            labels = dict(zip(train.ids.tolist(), train.labels.tolist(), strict=True))
            found.append(deduplicate.deduplicate_treatment(frame, labels))
    return found


def in_prescribed_order(known: list[str], evidence: Evidence) -> list[str]:
    """Names in the order of the prescription, then the others."""
    prescribed: list[Any] = []
    if "prescription" in evidence:
        prescribed = evidence["prescription"].frame["treatment"].unique(maintain_order=True).to_list()
    return [*(name for name in prescribed if name in known), *(n for n in known if n not in prescribed)]
