"""cleanlab: a table of issues with the column names of its Datalab."""

from pathlib import Path

import polars as pl

from deepsight.core.files.atomic import atomic_path
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.workflows.exchange.found_images import ExaminedRun

ISSUES = "issues.csv"


def write_datalab(folder: Path, examined: ExaminedRun) -> list[Path]:
    """Write `issues.csv`: one row per image, with the columns of `Datalab.get_issues`."""
    with atomic_path(folder / ISSUES) as path:
        guarded_frame(issues_frame(examined)).write_csv(path)
    return [folder / ISSUES]


def issues_frame(examined: ExaminedRun) -> pl.DataFrame:
    """The issues; as in Datalab, a score is 1 for an image surely without the issue and 0 for one with it."""
    rows = [
        {
            "file": image.file,
            "split": image.split,
            "id": image.id,
            "is_label_issue": image.flagged,
            "label_score": None if image.label_error is None else 1 - image.label_error,
            "given_label": image.given,
            "predicted_label": image.suggested or image.predicted,
            "is_near_duplicate_issue": bool(image.near_duplicates),
            "near_duplicate_sets": " ".join(image.near_duplicates),
        }
        for image in examined.images
    ]
    return pl.DataFrame(rows, schema_overrides={"label_score": pl.Float64, "predicted_label": pl.String})
