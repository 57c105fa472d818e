"""Tables of an audit that the report shows as images: their rows in order, with captions."""

from typing import Any

import polars as pl

from deepsight.images.contact_sheet import ACROSS
from deepsight.report.embedded_images import Pictures
from deepsight.report.run_data import RunData

# The tables, with the column by which their images are grouped, if any.
LISTS: dict[str, str | None] = {"image_issues": "issue", "isolated_images": None, "misnamed": None}
MOST = 48  # images of a group


def listed_rows(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows shown, in the order of their tiles on the sheet; at most MOST per group."""
    group = LISTS[name]
    if group is None:
        return frame.head(MOST)
    parts = [part.head(MOST) for part in frame.partition_by(group, maintain_order=True)]
    return pl.concat(parts) if parts else frame


def image_lists(study: RunData, pictures: Pictures) -> dict[str, dict[str, Any]]:
    """By table: the contact sheet, and group, name and note of each image, for the page's script."""
    found = {}
    for name, group in LISTS.items():
        table = study.table(name)
        if table is None or table.frame.is_empty():
            continue
        rows = listed_rows(name, table.frame).to_dicts()
        records = [
            {"group": row[group] if group else "", "name": image_name(row), "note": note_of(name, row)}
            for row in rows
        ]
        found[name] = {"sheet": pictures.sheet(name), "across": ACROSS, "records": records}
    return found


def image_name(row: dict[str, Any]) -> str:
    """The file of an image, or its split and row."""
    return str(row["file"]) if row.get("file") else f"{row['split']} {row['index']}"


def note_of(name: str, row: dict[str, Any]) -> str:
    """The caption of an image."""
    if name == "misnamed":
        return f"labelled {row['given']}, named {row['named']}"
    if name == "isolated_images":
        return f"{'outlier' if row['flagged'] else 'not flagged'}, score {row['score']:.1f}"
    return f"{row['value']:.2f}"
