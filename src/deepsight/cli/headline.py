"""The last lines of a command that made or examined a run: its score and its report."""

import json
from pathlib import Path
from typing import Any

import typer

from deepsight.cli.failures import Exit
from deepsight.cli.progress import first_process, show


def finish(metrics: dict[str, Any], out: Path, as_json: bool) -> None:
    """Print the headline, or metrics.json; only the first of torchrun's processes prints.

    Raises:
        typer.Exit: status 3 where macro-F1 is below the MVA.
    """
    from deepsight.core.notebook_html import score_sentence

    said = f"{score_sentence(metrics)}\nReport: {out / 'report.html'}"
    if first_process():
        show(json.dumps(metrics, indent=2) if as_json else said)
    if not metrics["mva_passed"]:
        raise typer.Exit(Exit.GATE)
