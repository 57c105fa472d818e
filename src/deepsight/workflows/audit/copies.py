"""Duplicates in an audit: within and across splits, of a run's training images, and under other labels."""

from collections.abc import Mapping

import polars as pl

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence, Table
from deepsight.interpret.findings import Findings
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.duplicates.pictures import duplicate_pictures

TRAINING = "training"  # the split name of a run's training images


def copy_findings(
    parts: Mapping[str, Dataset], training: Dataset | None, *, labelled: bool, seed: int
) -> Findings:
    """Exact and near-duplicates, and those under different labels.

    Args:
        parts: the audited images by split.
        training: the training images of the run to compare with, in the same shape; or None.
        labelled: whether the parts have real labels.
        seed: of the samples that projections are fitted on.
    """
    compared = {**({} if training is None else {TRAINING: training}), **parts}
    found = find_duplicates(compared, seed=seed)
    tables = {"duplicates": found}
    if labelled:
        tables["conflicting_copies"] = conflicting_copies_table(found.frame, compared)
    return Findings(Evidence(tables), duplicate_pictures(found.frame, compared))


def conflicting_copies_table(duplicates: pl.DataFrame, parts: Mapping[str, Dataset]) -> Table:
    """Evidence table `conflicting_copies`: duplicates with two labels, at least one of which is wrong.

    Args:
        duplicates: the frame of the table `duplicates`.
        parts: the compared images by split.
    """
    labels = pl.concat(
        [
            pl.DataFrame(
                {
                    "split": [name] * len(part),
                    "index": part.ids,
                    "label": [part.classes[c] for c in part.labels],
                },
                schema={"split": pl.String, "index": pl.Int64, "label": pl.String},
            )
            for name, part in parts.items()
        ]
    )
    frame = duplicates.filter("flagged")
    for end in "ab":
        named = labels.rename({"split": f"split_{end}", "index": f"index_{end}", "label": f"label_{end}"})
        frame = frame.join(named, on=[f"split_{end}", f"index_{end}"], how="left", maintain_order="left")
    frame = frame.filter(pl.col("label_a") != pl.col("label_b")).select(
        "split_a", "index_a", "label_a", "split_b", "index_b", "label_b", "kind", "probability"
    )
    return Table(
        frame,
        {
            "split_a": "split of the first image",
            "index_a": "row in the official order of its split",
            "label_a": "its class, as labelled",
            "split_b": "split of the second image",
            "index_b": "row in the official order of its split",
            "label_b": "its class, as labelled",
            "kind": "exact (equal pixels) or near",
            "probability": "estimated probability that both show the same picture",
        },
        sum(len(part) for part in parts.values()),
        "Flagged pairs of the table `duplicates` with two labels.",
        "1 pair of copies has two labels."
        if len(frame) == 1
        else f"{len(frame):,} pairs of copies have two labels.",
    )
