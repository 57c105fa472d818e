"""Contact sheets of tables: a picture each, with a thumbnail per row, in the order of the rows.

The report relies on that order: docs/methods/report.md.
"""

import numpy as np
import polars as pl

from deepsight.core.array_types import Pixels
from deepsight.core.evidence import Evidence
from deepsight.core.run import PICTURES
from deepsight.images import contact_sheet
from deepsight.interpret.error_analysis.misclassified import suspected_labels
from deepsight.interpret.inputs import ExaminationInputs


def sheet_file(name: str, images: Pixels) -> dict[str, bytes]:
    """The contact sheet of these images by its path in the run folder."""
    return {f"{PICTURES}/{name}.webp": contact_sheet.webp_sheet(contact_sheet.contact_sheet(images))}


def error_sheet(inputs: ExaminationInputs, frame: pl.DataFrame) -> dict[str, bytes]:
    """The thumbnails of the misclassified images, in the order of the table `errors`."""
    if frame.is_empty():
        return {}
    images = inputs.pixels_of("test", frame["index"].to_numpy())
    return sheet_file("errors", images)


def outlier_sheet(inputs: ExaminationInputs, evidence: Evidence) -> dict[str, bytes]:
    """The thumbnails of the outliers, in the order of the table `outliers`."""
    table = evidence.get("outliers")
    if table is None or table.frame.is_empty():
        return {}
    images = inputs.pixels_of("test", table.frame["index"].to_numpy())
    return sheet_file("outliers", images)


def suspect_sheet(inputs: ExaminationInputs, frame: pl.DataFrame) -> dict[str, bytes]:
    """The thumbnails of the suspected labels, in the order of `suspected_labels`."""
    rows = suspected_labels(frame).select("split", "index").rows()
    if not rows:
        return {}
    images = np.concatenate([inputs.pixels_of(split, np.array([index])) for split, index in rows])
    return sheet_file("label_errors", images)
