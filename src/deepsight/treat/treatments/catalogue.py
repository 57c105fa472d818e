"""The treatments for a run, made from its evidence, the most promising first."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from deepsight.core.dataset import Dataset, class_counts
from deepsight.core.errors import UsageError, near_names
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.treat.treatments import (
    cutmix,
    deduplicate,
    deeper_backbone,
    hard_examples,
    higher_resolution,
    mixup,
    relabel,
    weighted_loss,
)
from deepsight.treat.treatments.base import Treatment


def treatments(
    evidence: Evidence, validation: Predictions, train: Dataset, backbone: str, *, names: Sequence[str] = ()
) -> list[Treatment]:
    """All treatments that this evidence has a use for, in the order of the prescription.

    Pairs and weak classes are taken from validation, so that the test set, on which the ledger rests, decides
    about the order of the treatments and about nothing else.

    Args:
        evidence: reads `prescription`, `label_errors` and `duplicates`; all may be absent.
        validation: what the run's model says about the validation images.
        train: the training split of the run.
        backbone: the timm name of the run's backbone.
        names: of the treatments to run, in this order; empty for all.

    Raises:
        UsageError: a name is unknown, or the evidence has no use for that treatment.
    """
    known = {t.name: t for t in [*of_recipe(validation, train), *of_data(evidence, train)]}
    known |= {t.name: t for t in deeper_backbone.treatments(backbone)}
    known |= {t.name: t for t in of_pixels()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"Expected treatments that fit this run, received '{unknown[0]}': "
            f"{near_names(unknown[0], list(known))}"
        )
    return [known[name] for name in names or in_order(list(known), evidence)]


def of_recipe(validation: Predictions, train: Dataset) -> list[Treatment]:
    """Treatments that change how it is trained."""
    labels, predicted, k = validation.labels, validation.predicted, train.k
    found: list[Treatment] = [
        cutmix.treatment(),
        mixup.treatment(),
        weighted_loss.by_recall(labels, predicted, k),
        *weighted_loss.by_counts(class_counts(train.labels, train.classes)),
        higher_resolution.treatment(),
    ]
    table = confusion_pairs_table(labels, predicted, train.classes)
    pairs = hard_examples.confused_pairs(table.frame, train.classes)
    if pairs:
        found.insert(2, hard_examples.treatment(pairs))
    return found


def of_pixels() -> list[Treatment]:
    """Mixing as its papers have it, for comparison with that of cached maps."""
    return [mixup.treatment(mix_on="images"), cutmix.treatment(mix_on="images")]


def of_data(evidence: Evidence, train: Dataset) -> list[Treatment]:
    """Treatments that change the training data, where something was found in it."""
    found: list[Treatment] = []
    if "label_errors" in evidence:
        frame = evidence["label_errors"].frame
        if len(frame.filter(pl.col("flagged") & (pl.col("split") == "train"))):
            found.append(relabel.treatment(frame, train.classes))
            found.append(relabel.treatment(frame, train.classes, action="drop"))
    if "duplicates" in evidence:
        frame = evidence["duplicates"].frame
        if len(frame.filter((pl.col("split_a") == "train") & (pl.col("split_b") == "train"))):
            labels = dict(zip(train.ids.tolist(), train.labels.tolist(), strict=True))
            found.append(deduplicate.treatment(frame, labels))
    return found


def in_order(known: list[str], evidence: Evidence) -> list[str]:
    """Names in the order of the prescription, then the others as they stand."""
    prescribed: list[Any] = []
    if "prescription" in evidence:
        prescribed = evidence["prescription"].frame["treatment"].unique(maintain_order=True).to_list()
    return [*(name for name in prescribed if name in known), *(n for n in known if n not in prescribed)]
