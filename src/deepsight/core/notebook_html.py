"""Runs and findings as HTML for notebooks (`_repr_html_`). All values are escaped."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

if TYPE_CHECKING:
    from deepsight.core.evidence import Table
    from deepsight.core.run import Run

ROWS = 10  # shown of each table
# Okabe and Ito (2008): distinguishable for colour-blind readers.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")


@cache
def templates() -> Any:
    """The macros of the template, which escape their arguments."""
    environment = Environment(loader=PackageLoader("deepsight.core", "templates"), autoescape=True)
    return environment.get_template("notebook.html").module


def table_html(table: "Table") -> str:
    """A table's first rows, with caption, units, n and method."""
    frame = table.frame
    shown = {
        "caption": table.caption, "method": table.method, "n": f"{table.n:,}",
        "columns": [{"name": name, "unit": table.units[name]} for name in frame.columns],
        "rows": [[plain_cell(value) for value in row] for row in frame.head(ROWS).rows()],
        "more": f"{len(frame) - ROWS:,}" if len(frame) > ROWS else "",
    }  # fmt: skip
    return str(Markup(templates().frame(shown)))


def evidence_html(tables: Mapping[str, "Table"]) -> str:
    """The names of the findings, each with n and its caption."""
    return str(Markup(templates().findings(finding_rows(tables))))


def run_html(run: "Run") -> str:
    """A run's headline, the causes of its errors, and its findings."""
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
    """The score and whether it passes the gate, or how to finish the run."""
    if not metrics:
        return f"{run.path}: not finished. Finish it: deepsight report {run.path}"
    return f"{run.path}: {score_sentence(metrics)}"


def score_sentence(metrics: Mapping[str, Any]) -> str:
    """The score, its interval and whether it passes the gate, in one sentence."""
    low, high = metrics["macro_f1_ci95"]
    gate = "passes" if metrics["mva_passed"] else "fails"
    score = digits_that_show(metrics["macro_f1"], metrics["mva"])
    return (
        f"macro-F1 {score} (95 % interval {low:.3f} to {high:.3f}) "
        f"on {metrics['n_test']:,} {examined_words(metrics)}; {gate} the gate of {metrics['mva']:g}."
    )


def examined_words(metrics: Mapping[str, Any]) -> str:
    """The images behind the score: test images or all folds, and the effective number if they are grouped."""
    words = "test images"
    if metrics.get("folds"):
        words = f"images, each predicted by one of {metrics['folds']} models that had not seen it"
    if metrics.get("n_groups"):
        worth = f"{metrics['effective_n']:.0f} independent images"
        words += f" of {metrics['n_groups']:,} groups, equivalent to {worth}"
    return words


def digits_that_show(value: float, bound: float) -> str:
    """A score with as many digits, at least three, as show on which side of a bound it lies."""
    texts = (f"{value:.{digits}f}" for digits in range(3, 9))
    return next((text for text in texts if (float(text) >= bound) == (value >= bound)), repr(value))


def provenance_line(metrics: Mapping[str, Any]) -> str:
    """The data, the backbone and the seed."""
    named = ("data_source", "backbone", "resolution", "seed")
    return "; ".join(
        f"{name.replace('_', ' ')} {metrics[name]}" for name in named if metrics.get(name) is not None
    )


def cause_bars(table: "Table") -> list[dict[str, Any]]:
    """The causes of the errors in decreasing order, with the width and colour of their bars."""
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


def plain_cell(value: Any) -> str:
    """A table value as text; floats have four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
