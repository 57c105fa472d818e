"""The commands that hand a run to others: card."""

from pathlib import Path
from typing import Annotated

import typer

from deepsight.cli.options import RunFolder
from deepsight.cli.progress import show

app = typer.Typer()


@app.command()
def card(
    run_folder: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="The file.", show_default="MODEL_CARD.md in the run folder")
    ] = None,
) -> None:
    """Write a model card: intended use, metrics with intervals, classes, known failures.

    Example:

        deepsight card runs/first --out MODEL_CARD.md
    """
    from deepsight.workflows.card import write_card

    show(str(write_card(run_folder, out)))
