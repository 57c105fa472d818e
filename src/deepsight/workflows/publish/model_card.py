"""A model card: what the model is for, how good it is, and where it is known to fail."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deepsight.core.evidence import Evidence
from deepsight.core.files.atomic import write_text
from deepsight.core.notebook_html import examined_words
from deepsight.core.run import EXAMINED, METRICS, Run

MOST_ROWS = 25  # classes, pairs and slices that a card lists


def write_card(run: str | Path, out: str | Path | None = None) -> Path:
    """Write the model card of a run, with the metadata block that the Hugging Face hub reads.

    Args:
        run: the run folder.
        out: the file; MODEL_CARD.md in the run folder unless given.

    Raises:
        DeepSightError: the run has no metrics yet.
    """
    opened = Run.open(Path(run)).require(METRICS, stage="interpret")
    target = opened.file("MODEL_CARD.md") if out is None else Path(out)
    write_text(target, card_text(opened))
    return target


def card_text(run: Run) -> str:
    """The card as Markdown."""
    metrics, evidence = run.metrics(), run.evidence()
    study = run.study()
    name, data = run.path.name, str(study.get("data", "a data set"))
    block = yaml.safe_dump(metadata(name, data, metrics), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{block}---",
        f"# {name}",
        use_section(metrics, data, evidence, trained=not study.get(EXAMINED)),
        metrics_section(metrics),
        classes_section(evidence),
        failures_section(evidence),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def metadata(name: str, data: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The block at the top: task, tags, and the results with their metric types."""
    values = {"f1": ("macro-F1", "macro_f1"), "accuracy": ("accuracy", "accuracy")}
    results = [
        {"type": kind, "name": said, "value": round(float(metrics[key]), 4)}
        for kind, (said, key) in values.items()
        if metrics.get(key) is not None
    ]
    task = {"type": "image-classification", "name": "Image classification"}
    dataset = {"type": data, "name": data, "split": "test"}
    return {
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "deepsight"],
        "model-index": [{"name": name, "results": [{"task": task, "dataset": dataset, "metrics": results}]}],
    }


def use_section(metrics: Mapping[str, Any], data: str, evidence: Evidence, *, trained: bool) -> str:
    """What the model is for, and what it is not for.

    Args:
        metrics: the content of metrics.json.
        data: the name of the data set.
        evidence: the tables.
        trained: whether the model was trained on this data, or only examined on it.
    """
    classes = evidence["recall"].frame["class"].to_list() if "recall" in evidence else []
    named = ", ".join(map(str, classes[:MOST_ROWS])) or "the classes of its training data"
    size = f" at {metrics['resolution']} px" if metrics.get("resolution") else ""
    backbone = metrics.get("backbone") or "an image classifier"
    done = "trained and tested" if trained else "tested"
    return (
        f"## Intended use\n\n{backbone}{size}, which assigns an image to one of: {named}. It was {done} on "
        f"`{data}`.\n\nIt is not meant for images of anything else: it always names one of its classes, "
        "whatever the image shows. The figures below hold for images like those of the test set."
    )


def metrics_section(metrics: Mapping[str, Any]) -> str:
    """The scores with their intervals, and the gates."""
    rows = [("macro-F1", "macro_f1"), ("macro-F1 without known near-duplicates", "macro_f1_without_leaks")]
    lines = [
        f"| {said} | {metrics[key]:.3f} | {ends_text(metrics.get(f'{key}_ci95'))} |"
        for said, key in [*rows, ("accuracy", "accuracy")]
        if metrics.get(key) is not None
    ]
    outcomes = [(f"macro-F1 of at least {metrics['mva']:g}", metrics["mva_passed"])]
    outcomes += [(one["gate"], one["passed"]) for one in metrics.get("gates", [])]
    table = "\n".join(["| metric | value | 95 % interval |", "|---|---|---|", *lines])
    said = "\n".join(f"- {gate}: {'passed' if passed else 'failed'}" for gate, passed in outcomes)
    return f"## Metrics\n\nOn {metrics['n_test']:,} {examined_words(metrics)}.\n\n{table}\n\nGates:\n\n{said}"


def ends_text(ends: Any) -> str:
    """An interval as text, or a dash."""
    return f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else "–"


def classes_section(evidence: Evidence) -> str:
    """Recall, precision and F1 by class, weakest first."""
    if "recall" not in evidence:
        return ""
    rows = evidence["recall"].frame.sort("recall").head(MOST_ROWS).iter_rows(named=True)
    lines = [
        f"| {row['class']} | {row['n']:,} | {row['recall']:.3f} "
        f"({row['ci_low']:.3f} to {row['ci_high']:.3f}) | {row['precision']:.3f} | {row['f1']:.3f} |"
        for row in rows
    ]
    head = ["| class | n | recall (95 % interval) | precision | F1 |", "|---|---|---|---|---|"]
    return "## By class\n\n" + "\n".join([*head, *lines])


def failures_section(evidence: Evidence) -> str:
    """The causes of the errors, confirmed slices, background reliance and calibration."""
    said = [*causes(evidence), *slice_lines(evidence)]
    if "context" in evidence:
        said.append(evidence["context"].caption)
    if "calibration_summary" in evidence:
        said.append(evidence["calibration_summary"].caption)
    return "## Known failures\n\n" + "\n".join(f"- {one}" for one in said) if said else ""


def causes(evidence: Evidence) -> list[str]:
    """The share of the errors of each cause, with its 95 % interval."""
    if "ledger_shares" not in evidence:
        return []
    rows = evidence["ledger_shares"].frame.sort("share", descending=True).iter_rows(named=True)
    return [
        f"{row['share']:.0%} of the errors: {row['cause']} ({row['ci_low']:.0%} to {row['ci_high']:.0%})"
        for row in rows
        if row["share"] > 0
    ]


def slice_lines(evidence: Evidence) -> list[str]:
    """Groups of images on which the model fails more often than their classes explain."""
    if "slices" not in evidence:
        return []
    rows = evidence["slices"].frame.filter("confirmed").head(MOST_ROWS).iter_rows(named=True)
    return [
        f"{row['error_rate']:.0%} errors where {row['description']} ({row['baseline']:.0%} expected, "
        f"n = {row['n']:,})"
        for row in rows
    ]
