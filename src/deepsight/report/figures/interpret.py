"""Figures of the iNterpret stage: confusions, recall, calibration, slices and degradation."""

import polars as pl

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Dots, Figure, Panel
from deepsight.report.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    VERMILLION,
    Row,
    bracketed_interval,
    dots,
    row_labels,
    series_style,
    share_hint,
)
from deepsight.report.formatting import count_text, percent_text

GROUPS = {"rigid": {"tone": BLUE, "symbol": "square"}, "organic": {"tone": ORANGE, "symbol": "circle"}}
SHOWN_PAIRS, SHOWN_SLICES = 15, 15


def confusion_pairs_figure(table: Table) -> Figure:
    """The most frequent confusions of one class with another, with intervals; flagged ones are filled."""
    rows = table.frame.sort("rate", descending=True).head(SHOWN_PAIRS).to_dicts()
    for row in rows:
        row["label"] = f"{row['true']} → {row['predicted']}"
        row["hint"] = f"{share_hint(row, 'rate')}, {count_text(row['count'])} images"
    kinds = [("more frequent than chance", True, VERMILLION), ("not shown to be", False, GREY)]
    series = [
        dots(
            [row for row in rows if row["flagged"] is flagged],
            "rate",
            name=name,
            tone=tone,
            hollow=not flagged,
        )
        for name, flagged, tone in kinds
    ]
    axis = Axis("share of the true class", unit="share", bounds=(0, None))
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series)])


def recall_figure(table: Table) -> Figure:
    """Recall of each class with its interval; groups of classes differ in colour and symbol."""
    rows = table.frame.sort("recall", descending=True).to_dicts()
    for row in rows:
        row["label"], row["hint"] = row["class"], share_hint({**row, "label": row["class"]}, "recall")
    groups = dict.fromkeys(row["group"] or "class" for row in rows)
    series = []
    for position, group in enumerate(groups):
        these = [row for row in rows if (row["group"] or "class") == group]
        style = GROUPS.get(group) or series_style(position + 2)
        series.append(dots(these, "recall", name=group, size=6, **style))
    axis = Axis("recall: share of the class that is classified correctly", unit="share")
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series)])


def calibration_figure(table: Table) -> Figure:
    """Accuracy against confidence; the area of a dot is the number of images in its bin."""
    rows = [row for row in table.frame.to_dicts() if row["n"]]
    most = max((row["n"] for row in rows), default=1)
    ideal = Dots("perfectly calibrated", [0.0, 1.0], [0.0, 1.0], GREY, "", line="dot")
    model = Dots(
        "this model (dot area: images)",
        [row["confidence"] for row in rows],
        [row["accuracy"] for row in rows],
        BLUE,
        size=[3 + 12 * (row["n"] / most) ** 0.5 for row in rows],
        line="solid",
        hints=[bin_hint(row) for row in rows],
    )
    return Figure(
        [
            Panel(
                Axis("mean confidence in the bin", unit="share", bounds=(0, 1.02)),
                Axis("accuracy in the bin", unit="share", bounds=(-0.03, 1.05)),
                [ideal, model],
                height=360,
            )
        ]
    )


def risk_coverage_figure(table: Table) -> Figure:
    """The error rate among the most confident images, by the share of images that is kept."""
    rows = table.frame.to_dicts()
    curve = Dots(
        "",
        [row["coverage"] for row in rows],
        [row["error_rate"] for row in rows],
        BLUE,
        size=3,
        low=[row["ci_low"] for row in rows],
        high=[row["ci_high"] for row in rows],
        along="y",
        line="solid",
        hints=[coverage_hint(row) for row in rows],
    )
    x = Axis("share of images kept, the most confident first", unit="share", bounds=(0, 1.02))
    return Figure([Panel(x, Axis("error rate among them", unit="share", bounds=(0, None)), [curve])])


def coverage_hint(row: Row) -> str:
    """The share of images that a threshold keeps, and their error rate with its interval."""
    ends = bracketed_interval(percent_text(row["ci_low"]), percent_text(row["ci_high"]))
    kept, wrong = percent_text(row["coverage"]), percent_text(row["error_rate"])
    return f"confidence from {row['threshold']:.3f}: {kept} kept, {wrong} of them wrong{ends}"


def bin_hint(row: Row) -> str:
    """Confidence, accuracy and size of a bin."""
    found = f"confidence {percent_text(row['confidence'])}, accuracy {percent_text(row['accuracy'])}"
    return f"{found}, {count_text(row['n'])} images"


def slices_figure(table: Table) -> Figure:
    """The error rate of each slice beside that expected from its classes; confirmed slices are filled."""
    rows = table.frame.sort("effect", descending=True).head(SHOWN_SLICES).to_dicts()
    for row in rows:
        row["label"] = row["description"]
        baseline = percent_text(row["baseline"])
        shares = f"{percent_text(row['error_rate'])} wrong, {baseline} expected from the classes"
        row["hint"] = f"{row['label']}: {shares}, {count_text(row['n'])} images"
    kinds = [("confirmed on held-out images", True, VERMILLION), ("not confirmed", False, GREY)]
    series = []
    for name, confirmed, tone in kinds:
        these = [row for row in rows if bool(row["confirmed"]) is confirmed]
        series.append(dots(these, "error_rate", name=name, tone=tone, hollow=not confirmed))
    expected = [row["baseline"] for row in rows]
    names = [row["label"] for row in rows]
    series.append(Dots("expected from the classes", expected, names, GREY, "tick", size=5))
    axis = Axis("error rate", unit="share", bounds=(0, None))
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series)])


def degradation_figure(table: Table) -> Figure:
    """Accuracy over all classes by severity, with one line per corruption."""
    whole = table.frame.filter(pl.col("class") == "all").sort("severity")
    clean = whole.filter(severity=0)
    kinds = whole.filter(pl.col("severity") > 0)["corruption"].unique().sort().to_list()
    series = []
    for position, kind in enumerate(kinds):  # shifted a little, so that the intervals do not overlap
        rows = pl.concat([clean, whole.filter(corruption=kind)]).to_dicts()
        for row in rows:
            row["label"] = f"{kind}, severity {row['severity']}"
        series.append(
            Dots(
                kind,
                [float(row["severity"]) + 0.04 * (position - len(kinds) / 2) for row in rows],
                [row["accuracy"] for row in rows],
                low=[row["ci_low"] for row in rows],
                high=[row["ci_high"] for row in rows],
                along="y",
                line="solid",
                hints=[share_hint(row, "accuracy") for row in rows],
                **series_style(position),
            )
        )
    x = Axis("severity (0: original image)", unit="count")
    return Figure([Panel(x, Axis("accuracy", unit="share"), series, height=320)])
