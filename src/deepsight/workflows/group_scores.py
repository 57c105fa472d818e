"""Suggested groups of images, and the score if the images of each group are kept together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence, Table
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.statistics.clusters import cluster_bootstrap_macro_f1, effective_n
from deepsight.core.statistics.macro_f1 import macro_f1_interval
from deepsight.scrub.suggested_groups import SuggestedGroups, groups_of_pairs, suggest_groups

COLUMN = "neighbour in training"
UNITS = {
    "by": "what suggests the groups",
    "groups": "groups of several images",
    "share": "share of all images that are in such groups",
    "example": "first and last file of the largest group",
    "n_test": "test images",
    "n_with_neighbour": "test images whose group has an image in training",
    "macro_f1": "of all test images",
    "ci_low": "macro-F1 of all, low end at 95 % over groups",
    "ci_high": "macro-F1 of all, high end at 95 % over groups",
    "effective_n": "independent test images that would give the accuracy with the same precision",
    "n_without_neighbour": "test images without one",
    "macro_f1_without_neighbour": "of these, over the classes that are among them",
    "without_ci_low": "low end at 95 %",
    "without_ci_high": "high end at 95 %",
}


@dataclass(frozen=True)
class Suggestion:
    """What suggested groups add to an examination.

    Attributes:
        test: the test images, with a metadata column that says whether training holds an image of the group.
        evidence: the table `suggested_groups`; empty if no groups are suggested.
    """

    test: Dataset
    evidence: Evidence


def with_suggested_groups(
    test: Dataset,
    train: Sequence[Dataset],
    predictions: Predictions,
    *,
    taken: Mapping[str, Floats] | None = None,
    pairs: pl.DataFrame | None = None,
    seed: int = 0,
    log: Log = silent,
) -> Suggestion:
    """The score under groups that file names, exposure times or near-duplicates suggest.

    Images with declared groups, and test images without a training part, are returned unchanged.

    Args:
        test: the examined images.
        train: the images that the model may have been trained on.
        predictions: of the test images, in their order.
        taken: by source, when each image was taken, by id.
        pairs: the frame of the table `duplicates`, if near-duplicates were searched for.
        seed: of the intervals.
        log: receives a sentence for each suggestion.
    """
    if test.groups is not None or not train:
        return Suggestion(test, Evidence())
    parts = [test, *train]
    sequence = suggest_groups(parts, times_of(parts, taken or {}))
    copies = None if pairs is None else groups_of_pairs(*rows_of_pairs(pairs, parts), parts)
    found = [groups for groups in (sequence, copies) if groups is not None]
    if not found:
        return Suggestion(test, Evidence())
    rows = [scores_under(groups, predictions, seed) for groups in found]
    for row in rows:
        log(suggestion_sentence(row))
    if sequence is not None:
        test = with_column(test, shares_training_group(sequence, len(test)))
    return Suggestion(test, Evidence({"suggested_groups": table_of_rows(rows, len(test))}))


def times_of(parts: Sequence[Dataset], taken: Mapping[str, Floats]) -> list[Floats] | None:
    """When each image of the parts was taken; None if a source records no times."""
    if any(part.source not in taken for part in parts):
        return None
    return [taken[part.source][part.ids] for part in parts]


def rows_of_pairs(pairs: pl.DataFrame, parts: Sequence[Dataset]) -> tuple[Ints, Ints]:
    """The flagged pairs of test and training images as rows of the parts, test first."""
    names = ["test", *("train" for _ in parts[1:])]
    known = pl.concat(
        [
            pl.DataFrame(
                {"split": [name] * len(part), "index": part.ids}, schema_overrides={"split": pl.String}
            )
            for name, part in zip(names, parts, strict=True)
        ]
    ).with_row_index("row")
    flagged = pairs.filter("flagged")
    for end in ("a", "b"):
        flagged = flagged.join(
            known.rename({"row": f"row_{end}"}),
            left_on=[f"split_{end}", f"index_{end}"],
            right_on=["split", "index"],
        )
    i, j = (flagged[f"row_{end}"].to_numpy().astype(np.int64) for end in ("a", "b"))
    return i, j


def shares_training_group(found: SuggestedGroups, n_test: int) -> Bools:
    """Which test images have an image of their group in training, (n_test,)."""
    return np.asarray(np.isin(found.groups[:n_test], found.groups[n_test:]))


def with_column(test: Dataset, mates: Bools) -> Dataset:
    """The test images with a metadata column for `metadata_scores`: whether training has one of the group."""
    column = pl.Series(COLUMN, np.where(mates, "yes", "no"))
    metadata = pl.DataFrame([column]) if test.metadata is None else test.metadata.with_columns(column)
    return replace(test, metadata=metadata)


def scores_under(found: SuggestedGroups, p: Predictions, seed: int) -> dict[str, object]:
    """The score over groups, and that of the images without a neighbour in training."""
    groups, right = found.groups[: len(p)], p.labels == p.predicted
    mates = shares_training_group(found, len(p))
    whole = cluster_bootstrap_macro_f1(p.labels, p.predicted, p.k, groups, seed=seed)
    alone = macro_f1_interval(p.labels[~mates], p.predicted[~mates], p.k)
    left = (alone.value, alone.low, alone.high) if not mates.all() else (None, None, None)
    return {
        "by": found.by, "groups": found.n_groups, "share": found.share, "example": found.example,
        "n_test": len(p), "n_with_neighbour": int(mates.sum()), "macro_f1": whole.value,
        "ci_low": whole.low, "ci_high": whole.high, "effective_n": effective_n(right, groups),
        "n_without_neighbour": int((~mates).sum()), "macro_f1_without_neighbour": left[0],
        "without_ci_low": left[1], "without_ci_high": left[2],
    }  # fmt: skip


def suggestion_sentence(row: Mapping[str, object]) -> str:
    """What suggests the groups, and the score without images whose group is in training."""
    example = f", such as {row['example']}" if row["example"] else ""
    said = (
        f"Groups suggested by {row['by']}: {row['groups']:,} of several images{example}. "
        f"{row['n_with_neighbour']:,} of {row['n_test']:,} test images have one of their group in training; "
    )
    alone = row["macro_f1_without_neighbour"]
    if alone is None:
        said += "since all do, the score says nothing about images from new groups."
    else:
        said += (
            f"macro-F1 is {row['macro_f1']:.3f}, and {alone:.3f} ({row['without_ci_low']:.3f} to "
            f"{row['without_ci_high']:.3f}) on the {row['n_without_neighbour']:,} without."
        )
    return f"{said} If they belong together, name their groups: ?group=COLUMN keeps them in one part."


def table_of_rows(rows: Sequence[Mapping[str, object]], n: int) -> Table:
    """Evidence table `suggested_groups`."""
    schema = dict.fromkeys(UNITS, pl.Float64)
    whole = ("groups", "n_test", "n_with_neighbour", "n_without_neighbour")
    frame = pl.DataFrame(
        list(rows),
        schema=schema | dict.fromkeys(whole, pl.Int64) | dict.fromkeys(("by", "example"), pl.String),
    )
    return Table(
        frame=frame,
        units=UNITS,
        n=n,
        method="Consecutive names, or exposures within 30 s, of images that look far more alike than two of "
        "a class; or near-duplicates. Intervals by resampling of groups.",
        caption=" ".join(suggestion_sentence(row) for row in rows),
    )
