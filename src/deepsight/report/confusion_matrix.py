"""The confusion matrix for the page."""

from collections import Counter
from typing import Any

from deepsight.report.run_data import RunData

SHOWN = 25  # classes; nobody can read or click more than 625 cells


def confusion_matrix_data(study: RunData) -> dict[str, Any]:
    """Classes and cells of the stored confusion table, each cell with its shade from 0 to 1.

    If there are more than SHOWN classes, those with the most errors are kept.
    """
    rows = study.rows("confusion")
    classes, left_out = shown_classes(rows)
    cells = {(row["true"], row["predicted"]): row for row in rows}
    wrong = (row["rate"] for row in rows if row["true"] != row["predicted"])
    strongest = max(wrong, default=0.0) or 1.0
    return {
        "classes": classes,
        "left_out": left_out,
        "rows": [
            {"true": true, "cells": [matrix_cell(cells, true, other, strongest) for other in classes]}
            for true in classes
        ],
    }


def shown_classes(rows: list[dict[str, Any]]) -> tuple[list[str], int]:
    """The classes to show, in stored order, and how many were left out."""
    errors: Counter[str] = Counter()
    for row in rows:
        errors[row["true"]] += row["count"] if row["true"] != row["predicted"] else 0
    kept = {name for name, _ in errors.most_common(SHOWN)}
    return [name for name in errors if name in kept], len(errors) - len(kept)


def matrix_cell(
    cells: dict[tuple[str, str], dict[str, Any]], true: str, predicted: str, strongest: float
) -> dict[str, Any]:
    """One cell; the shade of an error is relative to the most frequent confusion."""
    row = cells.get((true, predicted), {"count": 0, "rate": 0.0})
    shade = row["rate"] if true == predicted else row["rate"] / strongest
    return {"predicted": predicted, "count": row["count"], "rate": row["rate"], "shade": f"{shade:.3f}"}
