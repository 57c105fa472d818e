"""Runs and findings as HTML for notebooks, as `_repr_html_` returns it. Everything shown is escaped."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

if TYPE_CHECKING:
    from deepsight.core.evidence import Table
    from deepsight.core.run import Run

ROWS = 10  # of a table; a notebook is no place for ten thousand
# Okabe and Ito (2008): colour-blind readers can tell them apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")


@cache
def templates() -> Any:
    """The macros of the template, which escape what they are given."""
    environment = Environment(loader=PackageLoader("deepsight.core", "templates"), autoescape=True)
    return environment.get_template("notebook.html").module


def table_html(table: "Table") -> str:
    """The first rows of a finding, with caption, units, n and method."""
    frame = table.frame
    shown = {
        "caption": table.caption, "method": table.method, "n": f"{table.n:,}",
        "columns": [{"name": name, "unit": table.units[name]} for name in frame.columns],
        "rows": [[cell_text(value) for value in row] for row in frame.head(ROWS).rows()],
        "more": f"{len(frame) - ROWS:,}" if len(frame) > ROWS else "",
    }  # fmt: skip
    return str(Markup(templates().frame(shown)))


def evidence_html(tables: Mapping[str, "Table"]) -> str:
    """The findings by name, each with n and its caption."""
    return str(Markup(templates().findings(finding_rows(tables))))


def run_html(run: "Run") -> str:
    """The headline, what the errors are due to, and the findings of a run."""
    evidence = run.evidence()
    metrics = run.metrics() if run.has("metrics.json") else {}
    shown = {
        "headline": status_line(run, metrics),
        "facts": provenance_line(metrics),
        "shares": cause_bars(evidence["ledger_shares"]) if "ledger_shares" in evidence else [],
        "findings": finding_rows(evidence),
    }
    return str(Markup(templates().run(shown)))


def status_line(run: "Run", metrics: Mapping[str, Any]) -> str:
    """The score and the gate, or how to finish the run."""
    if not metrics:
        return f"{run.path}: not finished. Finish it: deepsight report {run.path}"
    return f"{run.path}: {score_sentence(metrics)}"


def score_sentence(metrics: Mapping[str, Any]) -> str:
    """The score, its interval and the gate in one sentence."""
    low, high = metrics["macro_f1_ci95"]
    gate = "passes" if metrics["mva_passed"] else "fails"
    score = digits_that_show(metrics["macro_f1"], metrics["mva"])
    return (
        f"macro-F1 {score} (95 % interval {low:.3f} to {high:.3f}) "
        f"on {metrics['n_test']:,} {examined_words(metrics)}; {gate} the gate of {metrics['mva']:g}."
    )


def examined_words(metrics: Mapping[str, Any]) -> str:
    """What the images of the score are: test images, or all, and how many independent ones groups leave."""
    said = "test images"
    if metrics.get("folds"):
        said = f"images, each by a model of {metrics['folds']} that had not seen it"
    if metrics.get("n_groups"):
        worth = f"{metrics['effective_n']:.0f} independent images"
        said += f" of {metrics['n_groups']:,} groups, equivalent to {worth}"
    return said


def digits_that_show(value: float, bound: float) -> str:
    """A score with enough digits, at least three, to show on which side of a bound it lies."""
    texts = (f"{value:.{digits}f}" for digits in range(3, 9))
    return next((text for text in texts if (float(text) >= bound) == (value >= bound)), repr(value))


def provenance_line(metrics: Mapping[str, Any]) -> str:
    """The data, the backbone and the seed."""
    named = ("data_source", "backbone", "resolution", "seed")
    return "; ".join(
        f"{name.replace('_', ' ')} {metrics[name]}" for name in named if metrics.get(name) is not None
    )


def cause_bars(table: "Table") -> list[dict[str, Any]]:
    """The causes of the errors, the largest first, with the width and colour of each."""
    rows = table.frame.filter(table.frame["share"] > 0).sort("share", descending=True).to_dicts()
    return [
        {
            "cause": row["cause"], "percent": round(100 * row["share"], 2),
            "words": f"{row['share']:.1%}", "colour": COLOURS[place % len(COLOURS)],
        }
        for place, row in enumerate(rows)
    ]  # fmt: skip


def finding_rows(tables: Mapping[str, "Table"]) -> list[dict[str, str]]:
    """Name, n and caption of each finding."""
    return [{"name": name, "n": f"{table.n:,}", "caption": table.caption} for name, table in tables.items()]


def cell_text(value: Any) -> str:
    """A value of a table as text: four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
