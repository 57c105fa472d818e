"""The exchange formats by name: those that can be written, and those that can be read as decisions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deepsight.core.decisions import Decision, write_decisions
from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.progress import Log, silent
from deepsight.workflows.exchange.cvat import read_cvat, write_cvat
from deepsight.workflows.exchange.datalab import write_datalab
from deepsight.workflows.exchange.fiftyone import write_fiftyone
from deepsight.workflows.exchange.found_images import ExaminedRun, examined_images
from deepsight.workflows.exchange.imagefolder import write_imagefolder
from deepsight.workflows.exchange.label_studio import (
    read_label_studio,
    read_new_labels,
    write_label_studio,
)
from deepsight.workflows.exchange.new_labels import NewLabel, write_new_labels

WRITERS: dict[str, Callable[[Path, ExaminedRun], list[Path]]] = {
    "label-studio": write_label_studio,
    "cvat": write_cvat,
    "fiftyone": write_fiftyone,
    "datalab": write_datalab,
    "imagefolder": write_imagefolder,
}
READERS: dict[str, Callable[[Path], list[Decision]]] = {
    "label-studio": read_label_studio,
    "cvat": read_cvat,
}


def send_findings(
    run: str | Path, format: str, out: str | Path, *, all_images: bool = False, log: Log = silent
) -> list[Path]:
    """Write the findings of a run for another tool.

    Args:
        run: the run folder.
        format: label-studio, cvat, fiftyone, datalab or imagefolder.
        out: a folder that is empty or absent.
        all_images: write every examined image, not only those with a finding.
        log: receives progress and warnings.

    Returns:
        The files to import.

    Raises:
        UsageError: the format is unknown, or the folder is not empty.
        DeepSightError: the run has no findings.
    """
    folder = Path(out)
    if format not in WRITERS:
        raise UsageError(f"Expected a format, received '{format}'; {near_names(format, list(WRITERS))}")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"Expected an empty folder, but {folder} holds files. Choose another --out.")
    examined = examined_images(run, log=log)
    chosen = examined if all_images else examined.found()
    if not chosen.images:
        raise DeepSightError(f"Expected findings in {run}, but none of its images has one.")
    return WRITERS[format](folder, chosen)


@dataclass(frozen=True)
class Received:
    """The content of another tool's export.

    Attributes:
        decisions: about images of a run, as written for `apply`.
        new_labels: of pictures that `label-next` proposed.
        new_file: the table of the new labels; None if there are none.
    """

    decisions: list[Decision]
    new_labels: list[NewLabel]
    new_file: Path | None


def receive_decisions(file: str | Path, format: str, out: str | Path) -> Received:
    """Read another tool's export, and write its decisions and new labels for `apply`.

    Labels of new pictures go into a separate table beside the decisions, OUT-new.csv.

    Args:
        file: the export.
        format: label-studio or cvat.
        out: the CSV of decisions to write.

    Raises:
        UsageError: the format is unknown, or the file is not in it.
    """
    if format not in READERS:
        raise UsageError(
            f"Expected a format that can be read, received '{format}'; {near_names(format, list(READERS))}."
        )
    target = Path(out)
    decisions = READERS[format](Path(file))
    new = read_new_labels(Path(file)) if format == "label-studio" else []
    beside = target.with_name(f"{target.stem}-new.csv") if new else None
    write_decisions(target, decisions)
    if beside is not None:
        write_new_labels(beside, new)
    return Received(decisions, new, beside)
