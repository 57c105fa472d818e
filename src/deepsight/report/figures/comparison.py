"""Figures of the comparison of runs."""

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Dots, Figure, Panel
from deepsight.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    Row,
    dots,
    in_points,
    points_hint,
    row_labels,
    series_style,
    share_hint,
)
from deepsight.report.formatting import value_text

SHOWN_LEVERS = 15
VERDICTS = (
    ("better", GREEN, "circle", False),
    ("worse", VERMILLION, "x", False),
    ("no difference shown", GREY, "circle", True),
)


def scores_figure(table: Table) -> Figure:
    """Macro-F1 of each run with its interval, in the order in which the runs were given."""
    rows = table.frame.to_dicts()
    for row in rows:
        row["label"] = row["run"]
        row["hint"] = share_hint(row, "macro_f1")
    axis = Axis("macro-F1 on the test set", unit="share")
    return Figure(
        [Panel(axis, Axis(categories=row_labels(rows)), [dots(rows, "macro_f1", name="", tone=BLUE, size=6)])]
    )


def differences_figure(table: Table) -> Figure:
    """The difference of each run from the first, with its interval."""
    rows = in_points(table.frame.to_dicts(), "difference", "ci_low", "ci_high")
    for row in rows:
        row["label"] = row["run"]
        row["hint"] = f"{points_hint(row, 'difference')}; {row['verdict']}"
    series = [
        dots(these, "difference", name=name, tone=tone, symbol=symbol, hollow=hollow, size=6)
        for name, tone, symbol, hollow in VERDICTS
        if (these := [row for row in rows if row["verdict"] == name])
    ]
    axis = Axis("points of macro-F1 above the first run", unit="points")
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series, rules=(0,))])


def causes_by_run_figure(table: Table) -> Figure:
    """The share of each cause in each run."""
    rows = table.frame.to_dicts()
    for row in rows:
        row["label"] = row["cause"]
        row["hint"] = f"{row['run']}: {share_hint(row, 'share')}"
    axis = Axis("share of the errors of the run", unit="share", bounds=(0, None))
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), by_run(rows, "share"))])


def levers_by_run_figure(table: Table) -> Figure:
    """The net effect of each lever in each run."""
    names = (
        table.frame.sort("net", descending=True)["name"].unique(maintain_order=True).to_list()[:SHOWN_LEVERS]
    )
    rows = [
        row for row in in_points(table.frame.to_dicts(), "net", "ci_low", "ci_high") if row["name"] in names
    ]
    rows.sort(key=lambda row: names.index(row["name"]))
    for row in rows:
        row["label"] = value_text(row["name"])
        row["hint"] = f"{row['run']}: {points_hint(row, 'net')}; {row['verdict']}"
    axis = Axis("net share of the errors fixed, in %", unit="points")
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), by_run(rows, "net"), rules=(0,))])


def by_run(rows: list[Row], value: str) -> list[Dots]:
    """A series of dots for each run."""
    runs = dict.fromkeys(row["run"] for row in rows)
    return [
        dots([row for row in rows if row["run"] == name], value, name=name, size=5, **series_style(place))
        for place, name in enumerate(runs)
    ]
