"""The levers on the first screen: a sentence, a forest plot, and the advice of those that help."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.report import advice, summary
from deepsight.report.figures.levers import levers_figure
from deepsight.report.html import report_page
from deepsight.report.run_data import RunData

ROWS = [
    ("averaging several trainings", "variance", 0.22, "helps"),
    ("temperature", "decision", 0.0, "no difference shown"),
    ("placebo: resize and back", "placebo", 0.0, "no difference shown"),
]
CAPTION = (
    "Averaging several trainings would fix 22 ± 5 % of the errors; temperature showed no gain; "
    "41 ± 5 % of the errors resist every lever."
)


def levers() -> Table:
    frame = pl.DataFrame(
        [
            {
                "name": name, "group": group, "net": net, "ci_low": net - 0.05, "ci_high": net + 0.05,
                "verdict": verdict, "advice": f"Advice on {name}.",
            }
            for name, group, net, verdict in ROWS
        ]
    )  # fmt: skip
    return Table(frame, dict.fromkeys(frame.columns, "as made here"), 100, "made here", CAPTION)


def with_levers(study: RunData) -> RunData:
    return replace(study, evidence=Evidence({**study.evidence, "levers": levers()}))


def without_levers(study: RunData) -> RunData:
    tables = {name: table for name, table in study.evidence.items() if name != "levers"}
    return replace(study, evidence=Evidence(tables))


def test_the_figure_has_a_line_for_each_lever_and_the_placebo_apart() -> None:
    panel = levers_figure(levers()).panels[0]
    assert panel.y.categories == tuple(name for name, *_ in ROWS)
    assert {series.name for series in panel.series} == {"helps", "no difference shown", "placebo"}  # type: ignore[union-attr]


def test_the_sentence_speaks_of_levers_where_there_are_any(study: RunData) -> None:
    plain = " ".join(summary.summary_sentence(with_levers(study))).replace("\u00a0", " ")
    assert "averaging several trainings would fix 22 ± 5 % of the errors" in plain
    assert "41 ± 5 % of the errors resist every lever" in plain
    assert summary.levers_clause(without_levers(study)) == ""


def test_the_first_screen_draws_levers_in_the_place_of_the_causes(study: RunData, tmp_path: Path) -> None:
    text = report_page(with_levers(study))
    first = text[: text.index('<section class="stage"')]
    assert "chart-levers-summary" in first
    assert 'class="bar"' not in first
    assert 'class="bar"' in report_page(without_levers(study))


def test_the_advice_is_that_of_the_levers_that_help() -> None:
    assert advice.levers_advice(levers()) == "Advice on averaging several trainings."
    idle = levers()
    none = replace(idle, frame=idle.frame.filter(verdict="no difference shown"))
    assert "no lever was shown" in advice.levers_advice(none)


def test_a_placebo_gives_no_advice_but_doubt() -> None:
    table = levers()
    moved = pl.when(pl.col("group") == "placebo").then(pl.lit("helps")).otherwise(pl.col("verdict"))
    frame = table.frame.with_columns(verdict=moved, net=pl.col("net").replace(0.0, 0.031))
    said = advice.levers_advice(replace(table, frame=frame))
    assert said == (
        "Advice on averaging several trainings. "
        "A placebo shows a gain too (+3 points), so doubt gains of this size."
    )
