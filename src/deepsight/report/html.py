"""Writes the report: one HTML file with the content of a run folder, which opens without a network."""

import base64
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deepsight.core.evidence import Table, maps_refusal
from deepsight.core.files.atomic import write_text
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.core.run import REPORT, Run
from deepsight.report import confusion_matrix, formatting, galleries, model_setup, provenance, summary
from deepsight.report.audit_sections import AUDIT_OUTLINE
from deepsight.report.audit_summary import audit_cards, audit_sentence, gate_results
from deepsight.report.embedded_images import BUDGET, Pictures
from deepsight.report.figures import marks, svg
from deepsight.report.figures.levers import levers_figure
from deepsight.report.figures.model import learning_curves
from deepsight.report.figures.plot import Figure
from deepsight.report.run_data import RunData, read_run_data
from deepsight.report.sections import Entry, Stage

MOST_IMAGES = 60_000  # in a table of the page; the whole table is in `evidence/` of the run folder
COMPRESSION = 6  # of the tables in the page; 9 takes three times as long for one per cent


@dataclass(frozen=True)
class View:
    """A question of the report with this run's answer, ready for the template.

    Attributes:
        name: the evidence table, also its anchor on the page.
        question: its heading.
        body: the template that shows it.
        command: the command that makes the answer.
        table: the answer, or None.
        missing: whether there is no answer.
        figure: of the table, or None.
        advice: what to do about it; empty if there is no table.
        also: further tables with their names.
        refused: why the question could not be answered; empty otherwise.
        withheld: why the answer, which rests on maps that failed a check, is not shown; empty otherwise.
    """

    name: str
    question: str
    body: str
    command: str
    table: Table | None
    missing: bool
    figure: Figure | None
    advice: str
    also: list[tuple[str, Table]]
    refused: str
    withheld: str


def render(run: Run) -> Path:
    """Write the `report.html` of a run from its folder, without computing anything.

    If a result is missing, the report names the command that produces it, so even an interrupted run has a
    valid report.

    Returns:
        The path of the report.

    Raises:
        DeepSightError: the file cannot be written.
    """
    target = run.file(REPORT)
    write_text(target, report_page(read_run_data(run)))
    return target


def report_page(study: RunData) -> str:
    """The whole report as HTML."""
    downloads = {name: packed_csv(table.frame) for name, table in study.evidence.items()}
    pictures = Pictures(study.path, max(0, BUDGET - sum(map(len, downloads.values()))))
    outline = AUDIT_OUTLINE if study.is_audit else model_setup.outline_of(study)
    return (
        template_environment()
        .get_template("report.html")
        .render(
            study=study,
            metrics=study.metrics,
            setup=model_setup.setup_lines(study),
            sentence=audit_sentence(study) if study.is_audit else summary.summary_sentence(study),
            scores=audit_cards(study) if study.is_audit else summary.score_cards(study),
            gates=gate_results(study),
            notice=provenance.notice(study),
            summary_facts=provenance.summary_facts(study),
            provenance=provenance.provenance_facts(study),
            configuration=provenance.configuration_facts(study),
            causes=coloured_causes(study),
            levers=levers_of(study),
            overall_context=summary.overall_background(study),
            matrix=confusion_matrix.confusion_matrix_data(study),
            gallery=galleries.gallery_data(study, pictures),
            looks=galleries.class_looks(study),
            training_note=provenance.training_note(study),
            ambiguous=galleries.ambiguous_errors(study),
            illustrations=galleries.illustrations(study, pictures),
            questions={e.name: e.question for stage in outline for e in stage.entries},
            pictures=pictures,
            stages=[stage for one in outline if (stage := stage_data(one, study))["views"]],
            downloads=downloads,
        )
    )


def template_environment() -> Environment:
    """Templates that escape all text of the run; only files of this package are inserted unescaped."""
    loader = PackageLoader("deepsight.report")
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(
        percent=formatting.percent_text, points=formatting.points_text, count=formatting.count_text,
        cell=formatting.cell_text, heading=formatting.column_heading, value=formatting.value_text,
        title=formatting.table_title, prose=formatting.prose_markup, table_cell=formatting.table_cell,
        p_value=formatting.p_value_text, percentages=formatting.share_columns,
        differences=formatting.point_columns, packed_rows=packed_rows,
    )  # fmt: skip
    made.globals.update(draw=svg.draw_figure, key=marks.legend_key)
    made.globals["asset"] = lambda name: Markup(loader.get_source(made, name)[0])
    return made


def stage_data(stage: Stage, study: RunData) -> dict[str, Any]:
    """A stage for the template: its name, its command and its views."""
    return {"name": stage.name, "command": stage.command, "views": stage_views(stage, study)}


def stage_views(stage: Stage, study: RunData) -> list[View]:
    """The questions of a stage, answered or not; optional ones only if they are answered.

    An examination has no further stages to run, so its unanswered questions are left out unless refused.
    """
    found = [entry_view(entry, stage.command, study) for entry in stage.entries]
    asked = zip(found, stage.entries, strict=True)
    final = model_setup.is_examination(study)
    return [
        view
        for view, entry in asked
        if not view.missing or not (entry.optional or (final and not view.refused))
    ]


def entry_view(entry: Entry, command: str, study: RunData) -> View:
    """A question with its table, figure and advice."""
    table = study.table(entry.name)
    also = [(name, found) for name in entry.also if (found := study.table(name)) is not None]
    return View(
        name=entry.name,
        question=entry.question,
        body=entry.body,
        command=command,
        table=table,
        missing=not is_available(entry, table, study),
        figure=entry_figure(entry, table, study),
        advice=advice_on(entry, table),
        also=also,
        refused=refusal_reason(entry, study),
        withheld=(maps_refusal(study.evidence) or "") if entry.rests_on_maps else "",
    )


def advice_on(entry: Entry, table: Table | None) -> str:
    """What to do about the finding; some answers are files and not tables."""
    if isinstance(entry.advise, str):
        return entry.advise
    return "" if table is None else entry.advise(table)


def refusal_reason(entry: Entry, study: RunData) -> str:
    """Why this run could not answer the question; empty if it could, or has not tried yet."""
    rows = study.rows("not_examined", "check", "reason")
    return " ".join(row["reason"] for row in rows if row["check"] in (entry.name, *entry.refused_as))


def is_available(entry: Entry, table: Table | None, study: RunData) -> bool:
    """Whether this run has an answer; those to three questions are not tables but other files."""
    files = {
        "provenance": bool(study.data or study.model or study.environment),
        "registered": bool(study.hypotheses.get("hypotheses")),
        "training": study.history is not None,
    }
    return files.get(entry.name, table is not None)


def entry_figure(entry: Entry, table: Table | None, study: RunData) -> Figure | None:
    """The figure of a question, or None if there is nothing to draw."""
    if entry.name == "training":
        return None if study.history is None else learning_curves(study.history)
    if entry.draw is None or table is None or table.frame.is_empty():
        return None
    return entry.draw(table) if set(entry.needs) <= set(table.frame.columns) else None


def coloured_causes(study: RunData) -> list[dict[str, Any]]:
    """The share of each cause of errors, the largest first, with the number of its colour.

    `examined` is the share of errors that were checked for the cause; an unchecked cause has no share of 0.
    """
    rows = [
        {**row, "tone": place % 7, "examined": row.get("examined", 1.0)}
        for place, row in enumerate(study.rows("ledger_shares", "cause", "share"))
    ]
    return sorted(rows, key=lambda row: (-row["share"], -row["examined"]))


def levers_of(study: RunData) -> Figure | None:
    """The forest plot of the levers for the first screen, or None if none was tried."""
    table = study.table("levers", "name", "group", "net", "ci_low", "ci_high", "verdict")
    return None if table is None or table.frame.is_empty() else levers_figure(table)


def packed_csv(frame: pl.DataFrame) -> str:
    """A table as gzipped CSV in base64; the page unpacks it on demand. `packed_rows` says how much of it."""
    text = flat_csv(frame.head(packed_rows(frame)))
    return base64.b64encode(gzip.compress(text.encode(), COMPRESSION, mtime=0)).decode("ascii")


def packed_rows(frame: pl.DataFrame) -> int:
    """How many rows of a table the page holds: all, but at most 60,000 where each row is an image.

    The page stays below 15 MB so, for any number of images.
    """
    return min(len(frame), MOST_IMAGES) if "index" in frame.columns else len(frame)


def flat_csv(frame: pl.DataFrame) -> str:
    """A table as CSV with lists joined by semicolons and cells guarded against spreadsheet formulas."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    flat = frame.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join("; "))
    return guarded_frame(flat).write_csv()
