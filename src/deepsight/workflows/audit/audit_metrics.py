"""The numbers of an audit, as audit.json holds them and gates read them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl

from deepsight.core.evidence import Evidence
from deepsight.core.statistics.intervals import wilson
from deepsight.explore.drift.by_class import WHOLE
from deepsight.scrub.image_issues import ISSUES
from deepsight.workflows.audit.audited_data import AuditedData
from deepsight.workflows.audit.copies import TRAINING


class Value(NamedTuple):
    """A metric with its 95 % interval (None if it has none) and the number of images it is based on."""

    value: float
    low: float | None
    high: float | None
    n: int


Reader = Callable[[Evidence, AuditedData], Value]


def share_value(hits: int, n: int) -> Value:
    """A share with Wilson's interval."""
    low, high = wilson(hits, n)
    return Value(hits / max(n, 1), float(low), float(high), n)


def unreadable(evidence: Evidence, _: AuditedData) -> Value:
    """Share of files that cannot be read."""
    table = evidence["unreadable"]
    return share_value(len(table.frame.filter(kind="unreadable")), table.n)


def of_issue(issue: str) -> Reader:
    """Share of images with this issue."""

    def read(evidence: Evidence, data: AuditedData) -> Value:
        row = evidence["image_issue_counts"].frame.row(by_predicate=pl.col("issue") == issue, named=True)
        return share_value(row["n"], len(data))

    return read


def flagged_pairs(evidence: Evidence, kind: str | None = None) -> pl.DataFrame:
    """Flagged pairs of duplicates, exact or near or both."""
    pairs = evidence["duplicates"].frame.filter("flagged")
    return pairs if kind is None else pairs.filter(kind=kind)


def repeated_images(evidence: Evidence, data: AuditedData, kind: str | None) -> Value:
    """Share of images that could be removed while a copy stays: the members of each cluster less one."""
    pairs = flagged_pairs(evidence, kind)
    own = pairs.filter((pl.col("split_a") != TRAINING) & (pl.col("split_b") != TRAINING))
    members = pl.concat(
        [own.select("cluster", split=f"split_{end}", index=f"index_{end}") for end in "ab"]
    ).unique()
    return share_value(len(members) - members["cluster"].n_unique(), len(data))


def images_with_partner(evidence: Evidence, data: AuditedData, *, training: bool) -> Value:
    """Share of images with a copy among the run's training images, or else in another split."""
    pairs = flagged_pairs(evidence)
    across = pairs.filter(pl.col("split_a") != pl.col("split_b"))
    involved = (pl.col("split_a") == TRAINING) | (pl.col("split_b") == TRAINING)
    chosen = across.filter(involved if training else ~involved)
    ends = [chosen.select(split=f"split_{end}", index=f"index_{end}") for end in "ab"]
    images = pl.concat(ends).filter(pl.col("split") != TRAINING).unique()
    return share_value(len(images), len(data))


def conflicting(evidence: Evidence, data: AuditedData) -> Value:
    """Share of images with a copy under another label."""
    frame = evidence["conflicting_copies"].frame
    ends = [frame.select(split=f"split_{end}", index=f"index_{end}") for end in "ab"]
    images = pl.concat(ends).filter(pl.col("split") != TRAINING).unique()
    return share_value(len(images), len(data))


def flagged_rows(name: str) -> Reader:
    """Flagged rows of a table as a share of the images."""

    def read(evidence: Evidence, data: AuditedData) -> Value:
        return share_value(int(evidence[name].frame["flagged"].sum()), len(data))

    return read


def rows_of(name: str) -> Reader:
    """Rows of a table as a share of the images."""
    return lambda evidence, data: share_value(len(evidence[name].frame), len(data))


def imbalance(evidence: Evidence, _: AuditedData) -> Value:
    """Size of the largest class over that of the smallest, in the first split."""
    frame = evidence["balance"].frame
    first = frame.filter(split=frame["split"][0])["n"].to_list()
    return Value(max(first) / max(min(first), 1), None, None, sum(first))


def shortcut(evidence: Evidence, data: AuditedData) -> Value:
    """Accuracy above chance of the flagged attribute that predicts the class best; 0 if none is flagged."""
    rows = evidence["shortcuts"].frame.filter("flagged").to_dicts()
    gain = max((row["accuracy"] - row["expected"] for row in rows), default=0.0)
    return Value(gain, None, None, len(data))


def groups_across(evidence: Evidence, data: AuditedData) -> Value:
    """Share of images in suggested groups that span several splits."""
    frame = evidence["suggested_groups"].frame
    return share_value(int(frame.filter(pl.col("splits").list.len() > 1)["n"].sum()), len(data))


def feature_drift(evidence: Evidence, data: AuditedData) -> Value:
    """Area under the ROC curve of a classifier that tells new images from the run's, over all classes."""
    row = evidence["feature_drift"].frame.row(by_predicate=pl.col("class") == WHOLE, named=True)
    return Value(row["auc"], row["ci_low"], row["ci_high"], len(data))


def property_drift(evidence: Evidence, data: AuditedData) -> Value:
    """The largest absolute effect on a property over all classes, in standard deviations."""
    frame = evidence["property_drift"].frame.filter(pl.col("class") == WHOLE)
    row = frame.sort(pl.col("effect").abs(), descending=True).row(0, named=True)
    return magnitude(row["effect"], row["ci_low"], row["ci_high"], len(data))


def class_drift(evidence: Evidence, data: AuditedData) -> Value:
    """The largest absolute difference in the share of a predicted class."""
    row = evidence["class_drift"].frame.row(0, named=True)
    return magnitude(row["difference"], row["ci_low"], row["ci_high"], len(data))


def magnitude(value: float, low: float, high: float, n: int) -> Value:
    """The absolute value of a signed metric, with the range of absolute values in its interval."""
    ends = sorted((abs(low), abs(high)))
    return Value(abs(value), 0.0 if low <= 0 <= high else ends[0], ends[1], n)


def unfamiliar(evidence: Evidence, data: AuditedData) -> Value:
    """Share of images unlike the training images of the run."""
    row = evidence["familiarity"].frame.row(0, named=True)
    return Value(row["share"], row["ci_low"], row["ci_high"], len(data))


# The name of each metric, the table that it needs, and how it is read. Shares are of all audited images.
READERS: Mapping[str, tuple[str, Reader]] = {
    "unreadable_share": ("unreadable", unreadable),
    **{f"{issue.replace(' ', '_')}_share": ("image_issue_counts", of_issue(issue)) for issue in ISSUES},
    "exact_duplicate_share": ("duplicates", lambda e, d: repeated_images(e, d, "exact")),
    "near_duplicate_share": ("duplicates", lambda e, d: repeated_images(e, d, None)),
    "split_leakage_share": ("duplicates", lambda e, d: images_with_partner(e, d, training=False)),
    "training_copy_share": ("duplicates", lambda e, d: images_with_partner(e, d, training=True)),
    "conflicting_copy_share": ("conflicting_copies", conflicting),
    "outlier_share": ("isolated_images", flagged_rows("isolated_images")),
    "label_error_share": ("label_errors", flagged_rows("label_errors")),
    "misnamed_share": ("misnamed", rows_of("misnamed")),
    "group_leakage_share": ("suggested_groups", groups_across),
    "class_imbalance": ("balance", imbalance),
    "shortcut_gain": ("shortcuts", shortcut),
    "property_drift": ("property_drift", property_drift),
    "feature_drift": ("feature_drift", feature_drift),
    "class_drift": ("class_drift", class_drift),
    "unfamiliar_share": ("familiarity", unfamiliar),
}


def audit_values(evidence: Evidence, data: AuditedData, *, against: bool) -> dict[str, dict[str, Any]]:
    """Every metric that could be measured, by name: value, low, high, n.

    Args:
        evidence: the tables of the audit.
        data: the audited images.
        against: whether they were compared with a run.
    """
    known = set(evidence["image_issue_counts"].frame["issue"])
    return {
        name: read(evidence, data)._asdict()
        for name, (table, read) in READERS.items()
        if table in evidence and is_measured(name, known, against)
    }


def is_measured(name: str, issues: set[str], against: bool) -> bool:
    """Whether the audit measured this issue, or searched for training copies; true of all other metrics."""
    issue = name.removesuffix("_share").replace("_", " ")
    return (issue not in ISSUES or issue in issues) and (against or name != "training_copy_share")
