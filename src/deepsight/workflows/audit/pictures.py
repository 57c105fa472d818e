"""Images with visible issues, and contact sheets for the report of an audit."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from deepsight.core.array_types import Pixels
from deepsight.core.dataset import Dataset, positions_of_ids
from deepsight.core.evidence import Evidence
from deepsight.core.run import PICTURES
from deepsight.images import contact_sheet
from deepsight.interpret.error_analysis.misclassified import suspected_labels
from deepsight.interpret.findings import Findings
from deepsight.report.image_lists import LISTS, listed_rows
from deepsight.scrub.image_issues import image_issue_tables, issue_measures
from deepsight.workflows.audit.audited_data import AuditedData
from deepsight.workflows.audit.passes import AuditPasses


def issue_findings(data: AuditedData, headers: pl.DataFrame | None, passes: AuditPasses) -> Findings:
    """Dark, bright, blurred and empty images, and images of odd size or aspect ratio."""
    ends, properties = passes.measures(data)
    measures = issue_measures(ends, properties, headers)
    found = Findings(Evidence(image_issue_tables(measures, data.keys)))
    if headers is None:
        found = found.merge(
            Findings.refused("odd sizes", "The images are arrays, so their original size is not known.")
        )
    return found


def sheets_of(evidence: Evidence, parts: Mapping[str, Dataset]) -> dict[str, bytes]:
    """A contact sheet for each table that the report shows as images, by path in the run folder."""
    tables = {name: listed_rows(name, evidence[name].frame) for name in LISTS if name in evidence}
    if "label_errors" in evidence:
        tables["label_errors"] = suspected_labels(evidence["label_errors"].frame)
    return {
        f"{PICTURES}/{name}.webp": contact_sheet.webp_sheet(
            contact_sheet.contact_sheet(pixels_of(rows, parts))
        )
        for name, rows in tables.items()
        if len(rows)
    }


def pixels_of(rows: pl.DataFrame, parts: Mapping[str, Dataset]) -> Pixels:
    """The images (n, h, w, 3) that the columns split and index name, in the order of the rows."""
    shape = next(iter(parts.values())).images.shape[1:]
    pixels = np.empty((len(rows), *shape), dtype=np.uint8)
    splits = rows["split"].to_numpy()
    for name, part in parts.items():
        here = np.flatnonzero(splits == name)
        if len(here):
            pixels[here] = part.pixels(positions_of_ids(part.ids, rows["index"].to_numpy()[here]))
    return pixels
