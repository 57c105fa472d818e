"""The commands for a reader's decisions: apply, send, receive."""

import json
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from deepsight.cli.options import RunFolder
from deepsight.cli.progress import progress, show
from deepsight.cli.run_folders import cleaned_folder

app = typer.Typer()


@app.command()
def apply(
    run_folder: RunFolder,
    decisions: Annotated[Path, typer.Argument(help="The CSV of decisions that the report exports.")],
    to: Annotated[Path, typer.Option(help="The folder for the cleaned data set.")],
    add: Annotated[
        Path | None,
        typer.Option(
            help="A table of new pictures and labels, as receive writes it; they join the training part."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the provenance as JSON.")] = False,
) -> None:
    """Write a cleaned data set: labels as decided, without the removed images. Your files are not changed.

    Examples:

        deepsight apply runs/first decisions.csv --to clean

        deepsight apply runs/first decisions.csv --add decisions-new.csv --to larger
    """
    from deepsight.workflows.apply_decisions import apply_decisions

    with progress() as log:
        cleaned = apply_decisions(run_folder, decisions, to, add=add, log=log)
    if as_json:
        show(json.dumps(dict(cleaned.provenance), indent=2))
        return
    for part, count in cleaned.provenance["changes"].items():
        show(f"{part}: {count['relabel']} relabelled, {count['remove']} removed")
    if add is not None:
        show(f"train: {cleaned.provenance['added']} added")
    show(f"To study it: {next_command(run_folder, cleaned.data, larger=add is not None)}")


def next_command(run_folder: Path, data: str, *, larger: bool) -> str:
    """The command that studies a cleaned data set and compares the result with the run.

    It repeats the run's settings and plan, unless there are more images than the plan was made for.
    """
    from deepsight.core.run import STUDY, Run

    folder, out = quote(str(run_folder)), quote(str(cleaned_folder(run_folder)))
    if not Run.open(run_folder).has("model.safetensors"):  # an examination trained nothing to compare with
        return f"deepsight run --data {quote(data)} --out {out}"
    settings = "" if larger else f"--config {quote(str(run_folder / STUDY))} "
    return f"deepsight run {settings}--data {quote(data)} --compare-with {folder} --out {out}"


@app.command()
def send(
    run_folder: RunFolder,
    to: Annotated[str, typer.Option(help="label-studio, cvat, fiftyone, datalab or imagefolder.")],
    out: Annotated[Path, typer.Option(help="An empty or absent folder.")],
    all_images: Annotated[
        bool, typer.Option("--all", help="Send every examined image, not only those with a finding.")
    ] = False,
) -> None:
    """Export a run's findings to another tool: images with their labels, causes and scores.

    Example:

        deepsight send runs/first --to label-studio --out tasks
    """
    from deepsight.workflows.exchange.formats import send_findings

    with progress() as log:
        written = send_findings(run_folder, to, out, all_images=all_images, log=log)
    show("\n".join(str(path) for path in written))


@app.command()
def receive(
    file: Annotated[Path, typer.Argument(help="What the other tool exported.")],
    source: Annotated[str, typer.Option("--from", help="label-studio or cvat.")],
    out: Annotated[Path, typer.Option(help="The CSV of decisions to write.")] = Path("decisions.csv"),
) -> None:
    """Import decisions and labels of new pictures from another tool, for `deepsight apply`.

    Labels of pictures that label-next proposed go into a separate table beside the decisions.

    Example:

        deepsight receive export.json --from label-studio --out decisions.csv
    """
    from deepsight.workflows.exchange.formats import receive_decisions

    received = receive_decisions(file, source, out)
    show(f"{out}: {len(received.decisions)} decisions")
    if received.new_file is not None:
        show(f"{received.new_file}: {len(received.new_labels)} new pictures with their labels")
