"""The commands for a reader's decisions: apply."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deepsight.cli.progress import progress, show

app = typer.Typer()
RunFolder = Annotated[Path, typer.Argument(help="A run folder.")]


@app.command()
def apply(
    run_folder: RunFolder,
    decisions: Annotated[Path, typer.Argument(help="The CSV of decisions that the report exports.")],
    to: Annotated[Path, typer.Option(help="The folder for the cleaned data set.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the provenance as JSON.")] = False,
) -> None:
    """Write a cleaned data set: labels as decided, removed images left out. Your own files stay as they are.

    Example:

        deepsight apply runs/first decisions.csv --to clean
    """
    from deepsight.workflows.apply_decisions import apply_decisions

    with progress() as log:
        cleaned = apply_decisions(run_folder, decisions, to, log=log)
    if as_json:
        show(json.dumps(dict(cleaned.provenance), indent=2))
        return
    for part, count in cleaned.provenance["changes"].items():
        show(f"{part}: {count['relabel']} relabelled, {count['remove']} removed")
    show(f"Study it: deepsight run --data {cleaned.data} --out {run_folder}-cleaned")
