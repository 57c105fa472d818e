"""The formats by name: which can be written, and which come back as decisions."""

from collections.abc import Callable
from pathlib import Path

from deepsight.core.decisions import Decision, write_decisions
from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.progress import Log, silent
from deepsight.workflows.exchange.cvat import read_cvat, write_cvat
from deepsight.workflows.exchange.datalab import write_datalab
from deepsight.workflows.exchange.fiftyone import write_fiftyone
from deepsight.workflows.exchange.found_images import ExaminedRun, examined_images
from deepsight.workflows.exchange.imagefolder import write_imagefolder
from deepsight.workflows.exchange.label_studio import read_label_studio, write_label_studio

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
    """Write what a run found for another tool.

    Args:
        run: the run folder.
        format: label-studio, cvat, fiftyone, datalab or imagefolder.
        out: a folder that is empty or absent.
        all_images: every examined image rather than those with a finding.
        log: receives what the user should know.

    Returns:
        The files to import.

    Raises:
        UsageError: there is no such format, or the folder is not empty.
        DeepSightError: the run has no findings.
    """
    folder = Path(out)
    if format not in WRITERS:
        raise UsageError(f"Expected a format, received '{format}'; {near_names(format, list(WRITERS))}.")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"Expected an empty folder, but {folder} holds files. Choose another --out.")
    examined = examined_images(run, log=log)
    chosen = examined if all_images else examined.found()
    if not chosen.images:
        raise DeepSightError(f"Expected findings in {run}, but none of its images has one.")
    return WRITERS[format](folder, chosen)


def receive_decisions(file: str | Path, format: str, out: str | Path) -> list[Decision]:
    """Read what came back from another tool, and write it as decisions for `apply`.

    Raises:
        UsageError: there is no such format, or the file is not in it.
    """
    if format not in READERS:
        raise UsageError(
            f"Expected a format that comes back, received '{format}'; {near_names(format, list(READERS))}."
        )
    decisions = READERS[format](Path(file))
    write_decisions(Path(out), decisions)
    return decisions
