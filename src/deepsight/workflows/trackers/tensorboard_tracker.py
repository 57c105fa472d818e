"""TensorBoard: scalars by epoch, final metrics with parameters (HParams), tables and gates as text."""

import csv
import io
from itertools import islice
from pathlib import Path
from typing import Any

from deepsight.core.run import REPORT
from deepsight.workflows.trackers.content import TrackedRun

FOLDER = "tensorboard"  # in the run folder
MOST_ROWS = 50  # of a table, which TensorBoard stores as text


def log_to_tensorboard(run: TrackedRun, folder: str = "") -> str:
    """Write event files into this folder, or into the run folder; returns the command that shows them."""
    from torch.utils.tensorboard import SummaryWriter

    target = Path(folder) / run.name if folder else run.path / FOLDER
    writer = SummaryWriter(log_dir=str(target))
    try:
        write_events(writer, run)
    finally:
        writer.close()
    return f"tensorboard --logdir {target}"


def write_events(writer: Any, run: TrackedRun) -> None:
    """Write scalars, parameters, gates and tables."""
    for step, epoch in enumerate(run.epochs, start=1):
        for name, value in epoch.items():
            writer.add_scalar(f"epoch/{name}", value, step)
    parameters = {key: value if isinstance(value, bool | int | float) else str(value)
                  for key, value in run.parameters.items()}  # fmt: skip
    writer.add_hparams(parameters, dict(run.metrics), run_name=".")
    rows = [("gate", "result"), *((name.removeprefix("gate."), said) for name, said in run.tags.items())]
    writer.add_text("gates", markdown(rows))
    writer.add_text("report", f"`{run.path / REPORT}`")
    for name, text in run.tables():
        table = list(islice(csv.reader(io.StringIO(text)), MOST_ROWS + 1))
        writer.add_text(f"evidence/{name}", f"{run.evidence[name].caption}\n\n{markdown(table)}")


def markdown(rows: list[Any]) -> str:
    """Rows as a Markdown table whose first row is the header."""
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
