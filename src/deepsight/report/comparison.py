"""Writes the comparison of runs: one HTML file in the style of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepsight.core.evidence import Evidence, Table
from deepsight.core.files.atomic import write_text
from deepsight.report.embedded_images import data_address
from deepsight.report.figures.comparison import (
    causes_by_run_figure,
    differences_figure,
    levers_by_run_figure,
    scores_figure,
)
from deepsight.report.figures.plot import Figure
from deepsight.report.formatting import percent_text, points_text
from deepsight.report.html import packed_csv, template_environment
from deepsight.report.summary import enumerate_words

SMALLEST = 0.0005  # a smaller difference would read "0.0 points"


def write_comparison(
    path: Path, names: Sequence[str], evidence: Evidence, pictures: Mapping[int, bytes]
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        names: of the runs; all others are compared with the first.
        evidence: the tables `runs`, `differences`, `alone`, `settings`, and perhaps `causes` and `levers`.
        pictures: WebP pictures of test images, by their row.

    Raises:
        DeepSightError: the file cannot be written.
    """
    write_text(path, comparison_page(names, evidence, pictures))


def comparison_page(names: Sequence[str], evidence: Evidence, pictures: Mapping[int, bytes]) -> str:
    """The page as text."""
    return (
        template_environment()
        .get_template("comparison.html")
        .render(
            names=list(names),
            evidence=evidence,
            sentence=headline(names, evidence),
            sections=sections_of(evidence),
            alone=alone_by_run(names, evidence["alone"], pictures),
            downloads={name: packed_csv(table.frame) for name, table in evidence.items()},
        )
    )


def headline(names: Sequence[str], evidence: Evidence) -> tuple[str, str]:
    """The best score, and its difference from the first run with the verdict of the test."""
    best = evidence["runs"].frame.sort("macro_f1", descending=True).row(0, named=True)
    first = f"{best['run']} scores highest, {percent_text(best['macro_f1'])} macro-F1"
    rows = evidence["differences"].frame.filter(run=best["run"])
    if rows.is_empty():
        worse = evidence["differences"].frame.filter(verdict="worse")["run"].to_list()
        verb = "is" if len(worse) == 1 else "are"
        said = (
            f"{enumerate_words(worse)} {verb} shown to be worse" if worse else "no other is shown to be worse"
        )
        return f"{first};", f"{said}."
    row = rows.row(0, named=True)
    digits = 1 if min(abs(row["ci_low"]), abs(row["ci_high"])) >= SMALLEST else 2
    ends = f"{points_text(row['ci_low'], digits)} to {points_text(row['ci_high'], digits)}"
    words = {"better": "shown to be better than", "worse": "shown to be worse than"}
    verdict = words.get(row["verdict"], "not shown to differ from")
    return f"{first};", f"{points_text(row['difference'])} points ({ends}), {verdict} {names[0]}."


def sections_of(evidence: Evidence) -> list[dict[str, Any]]:
    """The questions of the page with their tables and figures."""
    asked: tuple[tuple[str, str, Any], ...] = (
        ("runs", "How good is each run?", scores_figure),
        ("differences", "Which runs differ from the first?", differences_figure),
        ("alone", "Which images does one run alone get right?", None),
        ("causes", "How do the causes of errors change?", causes_by_run_figure),
        ("levers", "How do the levers change?", levers_by_run_figure),
        ("settings", "Which settings differ?", None),
    )
    return [
        {"name": name, "question": question, "table": evidence[name], "figure": drawn(evidence[name], draw)}
        for name, question, draw in asked
        if name in evidence
    ]


def drawn(table: Table, draw: Any) -> Figure | None:
    """The figure of a table, or None if there is nothing to draw."""
    return None if draw is None or table.frame.is_empty() else draw(table)


def alone_by_run(
    names: Sequence[str], table: Table, pictures: Mapping[int, bytes]
) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """For each run its name, the number of images that only it gets right, and those with a picture."""
    found = []
    for name in names:
        rows = table.frame.filter(run=name).to_dicts()
        shown = [
            {**row, "address": data_address(pictures[row["index"]], "image/webp")}
            for row in rows
            if row["index"] in pictures
        ]
        found.append((name, len(rows), shown))
    return found
