"""Figures of an audit: drift of properties, features and predicted classes."""

import polars as pl

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Figure, Panel
from deepsight.report.figures.style import (
    GREY,
    VERMILLION,
    Row,
    dots,
    in_points,
    points_hint,
    row_labels,
)
from deepsight.report.formatting import column_heading, count_text

WHOLE, SHOWN = "all", 20
LOOKS = ((True, "drifted", VERMILLION), (False, "no clear drift", GREY))


def property_drift_figure(table: Table) -> Figure:
    """The effect on each property over all images, with its interval."""
    frame = table.frame.filter(pl.col("class") == WHOLE)
    rows = frame.sort(pl.col("effect").abs(), descending=True).to_dicts()
    for row in rows:
        row["label"] = column_heading(row["property"])
        row["hint"] = f"{row['label']}: {row['before']:.3g} before, {row['now']:.3g} now"
    axis = Axis("difference in standard deviations")
    return drift_figure(rows, "effect", axis, 0.0)


def feature_drift_figure(table: Table) -> Figure:
    """The area under the ROC curve of new images against the run's, for all and by class."""
    frame = table.frame.sort(pl.col("class") != WHOLE, -pl.col("auc")).head(SHOWN)
    rows = frame.to_dicts()
    for row in rows:
        row["label"] = row["class"]
        row["hint"] = f"{row['class']}: {row['auc']:.2f}, {count_text(row['n_now'])} new images"
    return drift_figure(rows, "auc", Axis("area under the curve; 0.5: cannot be told apart"), 0.5)


def class_drift_figure(table: Table) -> Figure:
    """The change in the share of each predicted class, in points."""
    frame = table.frame.sort(pl.col("difference").abs(), descending=True).head(SHOWN)
    rows = in_points(frame.to_dicts(), "difference", "ci_low", "ci_high")
    for row in rows:
        row["label"] = row["class"]
        row["hint"] = points_hint(row, "difference")
    return drift_figure(rows, "difference", Axis("change of the share, in points", unit="points"), 0.0)


def drift_figure(rows: list[Row], value: str, axis: Axis, rule: float) -> Figure:
    """Dots with intervals; those that drifted are filled."""
    series = [
        dots(
            [row for row in rows if row["drifted"] is drifted],
            value,
            name=name,
            tone=tone,
            hollow=not drifted,
        )
        for drifted, name, tone in LOOKS
    ]
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series, rules=(rule,))])
