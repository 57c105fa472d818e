"""The commands that share a run: card, log, push."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deepsight.cli.options import LOG_HELP, RunFolder
from deepsight.cli.progress import first_process, progress, say, show

app = typer.Typer()


@app.command()
def card(
    run_folder: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="The file.", show_default="MODEL_CARD.md in the run folder")
    ] = None,
) -> None:
    """Write a model card: intended use, metrics with intervals, results by class, known failures.

    Example:

        deepsight card runs/first --out MODEL_CARD.md
    """
    from deepsight.workflows.publish.model_card import write_card

    show(str(write_card(run_folder, out)))


@app.command()
def log(
    run_folder: RunFolder,
    to: Annotated[str, typer.Option(help=LOG_HELP)],
) -> None:
    """Log a finished run to an experiment tracker: parameters, metrics, tables, report and gates.

    Examples:

        deepsight log runs/first --to mlflow

        deepsight log runs/first --to tensorboard:logs
    """
    from deepsight.workflows.trackers.log_run import log_run

    show(log_run(run_folder, to))


def require_trackers(trackers: Sequence[str]) -> None:
    """Refuse trackers that cannot be used before any work is done."""
    if trackers:
        from deepsight.workflows.trackers.log_run import require_tracker

        for tracker in trackers:
            require_tracker(tracker)


def log_to_tracker(run: Path, tracker: str) -> None:
    """Log a run and say where; only the first of torchrun's processes does."""
    from deepsight.workflows.trackers.log_run import log_run

    if first_process():
        say(log_run(run, tracker))


@app.command()
def push(
    run_folder: RunFolder,
    to: Annotated[str, typer.Argument(help="hf:USER/NAME, a repository of the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
) -> None:
    """Publish a run's model with its card, metrics and report; examine --model hf:USER/NAME reads it back.

    Example:

        deepsight push runs/first hf:ada/cats --private
    """
    from deepsight.workflows.publish.push_to_hub import push_run

    with progress() as log:
        show(push_run(run_folder, to, private=private, log=log))
