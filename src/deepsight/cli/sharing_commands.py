"""The commands that hand a run to others: card, classify, log, push."""

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
    """Write a model card: intended use, metrics with intervals, classes, known failures.

    Example:

        deepsight card runs/first --out MODEL_CARD.md
    """
    from deepsight.workflows.card import write_card

    show(str(write_card(run_folder, out)))


@app.command()
def log(
    run_folder: RunFolder,
    to: Annotated[str, typer.Option(help=LOG_HELP)],
) -> None:
    """Log a finished run to a tracker: parameters, metrics with epochs, tables and report, gates as tags.

    Examples:

        deepsight log runs/first --to mlflow

        deepsight log runs/first --to tensorboard:logs
    """
    from deepsight.workflows.trackers.log_run import log_run

    show(log_run(run_folder, to))


def require_trackers(trackers: Sequence[str]) -> None:
    """Refuse a tracker that cannot be used before any work is done."""
    if trackers:
        from deepsight.workflows.trackers.log_run import require_tracker

        for tracker in trackers:
            require_tracker(tracker)


def log_to_tracker(run: Path, tracker: str) -> None:
    """Log a run and say where, once where torchrun started several processes."""
    from deepsight.workflows.trackers.log_run import log_run

    if first_process():
        say(log_run(run, tracker))


@app.command()
def push(
    run_folder: RunFolder,
    to: Annotated[str, typer.Argument(help="hf:USER/NAME, a repository of the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make a repository that only you see.")] = False,
) -> None:
    """Publish the model of a run with its card, metrics and report; --model hf:USER/NAME opens it again.

    Example:

        deepsight push runs/first hf:ada/cats --private
    """
    from deepsight.workflows.push_to_hub import push_run

    with progress() as log:
        show(push_run(run_folder, to, private=private, log=log))


@app.command()
def classify(
    run_folder: RunFolder,
    images: Annotated[
        list[str],
        typer.Argument(help="Files, folders, patterns, a CSV of files, or - for stdin.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="A .csv, .jsonl or .parquet file.")] = Path("predictions.csv"),
    reject_below: Annotated[
        float,
        typer.Option(help="Calibrated confidence below which an image is rejected.", min=0, max=1),
    ] = 0.0,
) -> None:
    """Classify many images into a table: calibrated probabilities, rejections, and an unfamiliarity score.

    Examples:

        deepsight classify runs/first new --out predictions.csv --reject-below 0.8

        deepsight classify runs/first "new/*.jpg" --out predictions.parquet
    """
    from deepsight.core.run import Run
    from deepsight.workflows import predict_many as many

    many.require_ending(out)
    with progress() as log:
        frame = many.predict_many(run_folder, images, reject_below=reject_below, log=log)
    many.write_predictions(frame, out)
    unread, rejected = frame["error"].count(), int(frame["rejected"].sum() or 0)
    show(f"{out}: {len(frame):,} images, {rejected:,} rejected, {unread:,} unreadable")
    for sentence in many.rejection_sentences(Run.open(run_folder)):
        show(sentence)
