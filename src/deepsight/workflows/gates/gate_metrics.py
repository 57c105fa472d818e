"""The metrics that gates can compare, each with its interval and n."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.evidence import Table
from deepsight.core.run import AUDIT, AUDITED, Run
from deepsight.core.statistics.intervals import wilson
from deepsight.workflows.audit.audit_metrics import READERS

# Names of the calibration error with an interval: the current one, and that of earlier versions.
CALIBRATION_ERRORS = ("rms_error", "ece_debiased")
NO_SLICE = "no slice"  # in place of a name where no slice is confirmed


class Measured(NamedTuple):
    """One value of a metric.

    Attributes:
        name: the class, slice or group; "" if the metric has one value.
        value: in the unit of the metric.
        low, high: the 95 % interval; None if there is none.
        n: number of images it is based on.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: int


def measured(run: Run, metric: str) -> list[Measured]:
    """The values of a metric: one, or one per class, slice or group.

    Raises:
        UsageError: this kind of run (audit or study) has no such metric.
        DeepSightError: the run has no value for it.
    """
    kind, names = ("audit", AUDIT_METRIC_NAMES) if is_audit(run) else ("run", METRIC_NAMES)
    if metric not in names:
        raise UsageError(
            f"Expected a metric of the {kind} in {run.path}, received '{metric}'; "
            f"{near_names(metric, list(names))}"
        )
    values = names[metric](run)
    if not values:
        raise DeepSightError(f"Expected {metric} in {run.path}, but the run has no value for it.")
    return values


def is_audit(run: Run) -> bool:
    """Whether the folder holds the audit of a data set."""
    return AUDITED in run.study()


def audit_metric(name: str) -> Callable[[Run], list[Measured]]:
    """A metric of audit.json."""

    def read(run: Run) -> list[Measured]:
        one = run.read_json(AUDIT)["metrics"].get(name)
        return [] if one is None else [Measured("", one["value"], one["low"], one["high"], one["n"])]

    return read


def headline_metric(name: str) -> Callable[[Run], list[Measured]]:
    """A metric of metrics.json with its interval."""

    def read(run: Run) -> list[Measured]:
        metrics = run.metrics()
        if metrics.get(name) is None:
            return []
        low, high = metrics.get(f"{name}_ci95") or (None, None)
        return [Measured("", float(metrics[name]), low, high, int(metrics["n_test"]))]

    return read


def required_table(run: Run, name: str) -> Table:
    """An evidence table of the run.

    Raises:
        DeepSightError: the run does not have it; the message says how to make it.
    """
    evidence = run.evidence()
    if name not in evidence:
        raise DeepSightError(
            f"Expected the finding '{name}' in {run.path}, found none. "
            f"Make it: deepsight interpret {run.path}"
        )
    return evidence[name]


def recalls(run: Run) -> list[Measured]:
    """Recall of each class that has test images, with Wilson's interval."""
    return [
        Measured(row["class"], row["recall"], row["ci_low"], row["ci_high"], int(row["n"]))
        for row in required_table(run, "recall").frame.filter(pl.col("n") > 0).iter_rows(named=True)
    ]


def precisions(run: Run) -> list[Measured]:
    """Precision of each class with Wilson's interval, over the images predicted as the class."""
    predictions = run.predictions("test")
    n = np.bincount(predictions.predicted, minlength=predictions.k)
    right = predictions.predicted[predictions.predicted == predictions.labels]
    hits = np.bincount(right, minlength=predictions.k)
    low, high = wilson(hits, n)
    names = class_order(run, predictions.k)
    return [
        Measured(names[c], float(hits[c] / max(n[c], 1)), float(low[c]), float(high[c]), int(n[c]))
        for c in range(predictions.k)
    ]


def class_order(run: Run, k: int) -> list[str]:
    """The class names in the order of the logits; the confusion table lists every class in that order."""
    names = required_table(run, "confusion").frame["true"].unique(maintain_order=True).to_list()
    return names if len(names) == k else [str(c) for c in range(k)]


def f1_scores(run: Run) -> list[Measured]:
    """F1 of each class that has test images; it has no interval."""
    rows = required_table(run, "recall").frame.filter(pl.col("n") > 0).iter_rows(named=True)
    return [Measured(row["class"], row["f1"], None, None, int(row["n"])) for row in rows]


def calibration(run: Run) -> list[Measured]:
    """The calibration error of the uncalibrated model: the root of the unbiased squared error."""
    table = required_table(run, "calibration_summary")
    rows = table.frame.filter(pl.col("stage") == "as given", pl.col("quantity").is_in(CALIBRATION_ERRORS))
    return [
        Measured("", row["value"], row["ci_low"], row["ci_high"], table.n)
        for row in rows.iter_rows(named=True)
    ]


def near_duplicate_share(run: Run) -> list[Measured]:
    """The share of test images with a near-duplicate in train or validation."""
    metrics = run.metrics()
    if metrics.get("n_leaked") is None:
        return []
    return [measured_share("", int(metrics["n_leaked"]), int(metrics["n_test"]))]


def label_error_share(run: Run) -> list[Measured]:
    """The share of test images whose label is flagged."""
    frame = required_table(run, "label_errors").frame.filter(pl.col("split") == "test")
    return [measured_share("", int(frame["flagged"].sum()), len(frame))] if len(frame) else []


def measured_share(name: str, hits: int, n: int) -> Measured:
    """A share with Wilson's interval."""
    low, high = wilson(hits, n)
    return Measured(name, hits / n, float(low), float(high), n)


def background_reliance(run: Run) -> list[Measured]:
    """The background gap over all classes: the accuracy that backgrounds of other classes cost, 0 to 1."""
    table = required_table(run, "context")
    rows = table.frame.filter(pl.col("test") == "swap", pl.col("class") == "all")
    return [
        Measured("", row["effect"], row["ci_low"], row["ci_high"], table.n)
        for row in rows.iter_rows(named=True)
    ]


def slice_excess(run: Run) -> list[Measured]:
    """The excess error rate of each confirmed slice; one value of 0 where none is confirmed."""
    table = required_table(run, "slices")
    rows = table.frame.filter("confirmed").iter_rows(named=True)
    found = [Measured(row["description"], row["effect"], None, None, int(row["n"])) for row in rows]
    return found or [Measured(NO_SLICE, 0.0, None, None, table.n)]


def slice_error_rates(run: Run) -> list[Measured]:
    """The error rate of each confirmed slice with Wilson's interval; one value of 0 where none is."""
    table = required_table(run, "slices")
    found = [
        measured_share(row["description"], round(row["error_rate"] * row["n"]), int(row["n"]))
        for row in table.frame.filter("confirmed").iter_rows(named=True)
    ]
    return found or [Measured(NO_SLICE, 0.0, None, None, table.n)]


def group_scores(score: str, low: str, high: str) -> Callable[[Run], list[Measured]]:
    """A score of each group of the metadata, by the name "column=value"."""

    def read(run: Run) -> list[Measured]:
        evidence = run.evidence()
        if "metadata_scores" not in evidence:
            raise DeepSightError(
                f"Expected groups by metadata in {run.path}, but its data has no metadata that can be "
                "compared. Give columns beside path and label: --data table:FILE."
            )
        return [
            Measured(f"{row['column']}={row['value']}", row[score], row[low], row[high], int(row["n"]))
            for row in evidence["metadata_scores"].frame.iter_rows(named=True)
        ]

    return read


METRIC_NAMES: Mapping[str, Callable[[Run], list[Measured]]] = {
    "macro_f1": headline_metric("macro_f1"),
    "macro_f1_without_leaks": headline_metric("macro_f1_without_leaks"),
    "accuracy": headline_metric("accuracy"),
    "recall": recalls,
    "precision": precisions,
    "f1": f1_scores,
    "calibration_error": calibration,
    "near_duplicate_share": near_duplicate_share,
    "label_error_share": label_error_share,
    "background_gap": background_reliance,
    "slice_excess": slice_excess,
    "slice_error_rate": slice_error_rates,
    "group_accuracy": group_scores("accuracy", "ci_low", "ci_high"),
    "group_macro_f1": group_scores("macro_f1", "macro_f1_low", "macro_f1_high"),
}
AUDIT_METRIC_NAMES: Mapping[str, Callable[[Run], list[Measured]]] = {
    name: audit_metric(name) for name in READERS
}
# Metrics with several values, and what each value belongs to.
PER_CLASS: Mapping[str, str] = {
    "recall": "class",
    "precision": "class",
    "f1": "class",
    "slice_excess": "slice",
    "slice_error_rate": "slice",
    "group_accuracy": "group",
    "group_macro_f1": "group",
}
