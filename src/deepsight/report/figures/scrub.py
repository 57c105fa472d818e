"""Figures of the Scrub stage."""

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Dots, Figure, Panel
from deepsight.report.figures.style import BLUE, GREY, dots, row_labels, share_hint
from deepsight.report.formatting import percent_text


def interpolation_figure(table: Table) -> Figure:
    """Linear-probe score and preserved detail of each resampling filter; the chosen one is filled."""
    rows = table.frame.sort("macro_f1", descending=True).to_dicts()
    for row in rows:
        row["label"] = f"{row['method']}{', antialiased' if row['antialias'] else ''}"
        row["hint"] = share_hint(row, "macro_f1")
    axis = Axis(categories=row_labels(rows))
    kinds = [("used in this run", True, BLUE), ("others", False, GREY)]
    score, kept = [], []
    for name, chosen, tone in kinds:
        these = [row for row in rows if row["chosen"] is chosen]
        score.append(dots(these, "macro_f1", name=name, tone=tone, hollow=not chosen))
        kept.append(detail_dots(these, tone, hollow=not chosen))
    return Figure(
        [
            Panel(Axis(unit="share"), axis, score, "macro-F1 of a linear probe"),
            Panel(Axis(unit="share", bounds=(0, None)), axis, kept, "fine detail preserved"),
        ]
    )


def detail_dots(rows: list[dict[str, object]], tone: int, *, hollow: bool) -> Dots:
    """The share of fine detail that each filter keeps."""
    shares = [float(str(row["detail_kept"])) for row in rows]
    names = [str(row["label"]) for row in rows]
    hints = [f"{name}: {percent_text(share)}" for name, share in zip(names, shares, strict=True)]
    return Dots("", shares, names, tone, "square", hollow=hollow, hints=hints)
