"""The report: one HTML file that opens from disk, without a network, and draws what the run folder holds."""

import base64
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deepsight.core.evidence import Table, maps_refusal
from deepsight.core.files import write_text
from deepsight.core.run import REPORT, Run
from deepsight.report import confusion_matrix, formatting, galleries, numbers, provenance, summary
from deepsight.report.embedded_images import BUDGET, Pictures
from deepsight.report.figures import marks, svg
from deepsight.report.figures.model import learning_curves
from deepsight.report.figures.plot import Figure
from deepsight.report.run_data import RunData, read
from deepsight.report.sections import OUTLINE, Entry, Stage


@dataclass(frozen=True)
class View:
    """A question of the report with what is known about it in this run."""

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


def render(run: Run) -> Path:
    """Write `report.html` of a run from what its folder holds; nothing is computed again.

    What has not been made yet is named together with the command that makes it, so that the report of an
    interrupted run is valid too.

    Returns:
        The path of the report.

    Raises:
        DeepSightError: the file cannot be written.
    """
    target = run.file(REPORT)
    write_text(target, page(read(run)))
    return target


def page(study: RunData) -> str:
    """The whole report as HTML."""
    downloads = {name: packed_csv(table.frame) for name, table in study.evidence.items()}
    pictures = Pictures(study.path, max(0, BUDGET - sum(map(len, downloads.values()))))
    return (
        environment()
        .get_template("report.html")
        .render(
            study=study,
            metrics=study.metrics,
            sentence=summary.sentence(study),
            scores=summary.scores(study),
            notice=provenance.notice(study),
            summary_facts=provenance.summary(study),
            provenance=provenance.provenance(study),
            configuration=provenance.configuration(study),
            causes=causes(study),
            overall_context=summary.overall_context(study),
            matrix=confusion_matrix.matrix(study),
            refusal=maps_refusal(study.evidence),
            gallery=galleries.all_images(study, pictures),
            looks=galleries.looks(study),
            ambiguous=galleries.ambiguous_errors(study),
            illustrations=galleries.illustrations(study, pictures),
            questions={e.name: e.question for stage in OUTLINE for e in stage.entries},
            pictures=pictures,
            stages=[{"name": s.name, "command": s.command, "views": views(s, study)} for s in OUTLINE],
            downloads=downloads,
        )
    )


def environment() -> Environment:
    """Templates that escape all text of the study; only files of this package are inlined as they are."""
    loader = PackageLoader("deepsight.report")
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(
        percent=numbers.percent, points=numbers.points, count=numbers.count, cell=numbers.cell,
        heading=formatting.heading, value=formatting.value, title=formatting.title, prose=formatting.prose,
        p_value=formatting.p_value, percentages=formatting.percentages,
    )  # fmt: skip
    made.globals.update(draw=svg.draw, key=marks.key)
    made.globals["asset"] = lambda name: Markup(loader.get_source(made, name)[0])
    return made


def views(stage: Stage, study: RunData) -> list[View]:
    """The questions of a stage, answered or missing; optional ones only where they are answered."""
    found = [view(entry, stage.command, study) for entry in stage.entries]
    asked = zip(found, stage.entries, strict=True)
    return [view for view, entry in asked if not (entry.optional and view.missing)]


def view(entry: Entry, command: str, study: RunData) -> View:
    """A question with its table, figure and advice."""
    table = study.table(entry.name)
    also = [(name, found) for name in entry.also if (found := study.table(name)) is not None]
    return View(
        name=entry.name,
        question=entry.question,
        body=entry.body,
        command=command,
        table=table,
        missing=not available(entry, table, study),
        figure=drawn(entry, table, study),
        advice=advice_on(entry, table),
        also=also,
        refused=refused(entry, study),
    )


def advice_on(entry: Entry, table: Table | None) -> str:
    """What to do about the finding; nothing where there is none."""
    if table is None:
        return ""
    return entry.advise if isinstance(entry.advise, str) else entry.advise(table)


def refused(entry: Entry, study: RunData) -> str:
    """Why this run could not be asked the question; empty where it could, or was not asked yet."""
    rows = study.rows("not_examined", "check", "reason")
    return " ".join(row["reason"] for row in rows if row["check"] in (entry.name, *entry.refused_as))


def available(entry: Entry, table: Table | None, study: RunData) -> bool:
    """Whether this run holds what the question needs; three of them rest on files that are no tables."""
    files = {
        "provenance": bool(study.data or study.model or study.environment),
        "registered": bool(study.hypotheses.get("hypotheses")),
        "training": study.history is not None,
    }
    return files.get(entry.name, table is not None)


def drawn(entry: Entry, table: Table | None, study: RunData) -> Figure | None:
    """The figure of a question, or None where there is nothing to draw."""
    if entry.name == "training":
        return None if study.history is None else learning_curves(study.history)
    if entry.draw is None or table is None or table.frame.is_empty():
        return None
    return entry.draw(table) if set(entry.needs) <= set(table.frame.columns) else None


def causes(study: RunData) -> list[dict[str, Any]]:
    """The shares of the causes of errors, the largest first, each with the number of its own colour.

    `examined` is the share of errors in which a cause was looked for: nothing found where nobody looked is
    not a share of 0.
    """
    rows = [
        {**row, "tone": place % 7, "examined": row.get("examined", 1.0)}
        for place, row in enumerate(study.rows("ledger_shares", "cause", "share"))
    ]
    return sorted(rows, key=lambda row: (-row["share"], -row["examined"]))


def packed_csv(frame: pl.DataFrame) -> str:
    """A table as CSV, packed with gzip, in base64: what the page unpacks when the reader asks for it."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    flat = frame.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join("; "))
    return base64.b64encode(gzip.compress(flat.write_csv().encode(), mtime=0)).decode("ascii")
