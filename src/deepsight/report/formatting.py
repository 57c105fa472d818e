"""How the report writes the words of tables: names of columns and values, and sentences."""

import re
from collections.abc import Collection
from typing import Any

from markupsafe import Markup, escape

from deepsight.report.numbers import NBSP, absent, cell, count

HEADINGS = {
    "ci_low": "low end", "ci_high": "high end", "p_value": "p", "q_value": "q", "macro_f1": "macro-F1",
    "f1": "F1", "n": "n", "delta_macro_f1": "macro-F1, change", "delta_f1": "F1, change", "p_over": "p over",
    "bin_low": "from", "bin_high": "to", "lr_base": "rate, base", "lr_head": "rate, head",
}  # fmt: skip
TREATMENTS = {
    "cutmix": "CutMix",
    "mixup": "MixUp",
    "hard_examples": "hard-example mining",
    "weighted_loss": "weighted loss",
    "deeper_backbone": "deeper backbone",
    "higher_resolution": "higher resolution",
    "drop_mislabelled": "leaving out wrong labels",
    "cutmix_images": "CutMix on images",
    "mixup_images": "MixUp on images",
}
VALUES = {
    **TREATMENTS,
    "ece": "calibration error",
    "ece_debiased": "calibration error, debiased",
    "nll": "negative log-likelihood",
    "val": "validation",
    "holdout": "hold-out",
}
NAMES = ("row", "number of", "seed")  # units of whole numbers that name something and count nothing

WITH_INTERVAL = frozenset({"share", "rate", "recall", "accuracy", "macro_f1", "object_share", "rejected"})
SHARES = WITH_INTERVAL | {
    "precision", "f1", "error_rate", "confidence", "expected", "examined", "retained", "detail_kept",
    "estimated_precision", "agreement", "object_area", "corrected_share", "share_after", "control_macro_f1",
    "sensitivity", "specificity", "area",
}  # fmt: skip
DIFFERENCES = frozenset({"delta_macro_f1", "delta_f1", "control_macro_f1"})  # whose interval is no share


def percentages(columns: Collection[str]) -> frozenset[str]:
    """The columns of a table that are shares; its interval is one where the quantity it belongs to is."""
    ends = {name for name in columns if name.startswith(("ci_low", "ci_high"))}
    baseline = {"baseline"} & set(columns) if "error_rate" in columns else set()
    of_shares = WITH_INTERVAL & set(columns) and not DIFFERENCES & set(columns)
    return frozenset(SHARES & set(columns) | baseline | (ends if of_shares else set()))


def heading(column: str) -> str:
    """The name of a column as a reader says it."""
    return HEADINGS.get(column) or column.replace("_", " ").replace("macro f1", "macro-F1")


def value(item: Any, unit: str = "") -> str:
    """A value of a table: quantities with their thousands, rows and other names of things as they are."""
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item) if unit.startswith(NAMES) else count(item)
    if isinstance(item, str):
        return VALUES.get(item) or (item if "/" in item else item.replace("_", " "))
    if isinstance(item, list):
        return ", ".join(value(part, unit) for part in item) or "none"
    return cell(item)


def title(name: str) -> str:
    """The name of a table as a reader says it: "confusion_pairs" gives "Confusion pairs"."""
    return name.replace("_", " ").capitalize()


def prose(text: str) -> Markup:
    """A sentence of a stage: one space before a percent sign, raw names in words, `code` as code."""
    spaced = re.sub(r"(?<=\d) ?%", f"{NBSP}%", text)
    spaced = re.sub(r"\b(cutmix|mixup|[a-z]+(_[a-z]+)+)\b", lambda found: value(found[0]), spaced)
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(spaced))))


def p_value(probability: float | None) -> str:
    """A p-value as it is printed: "p = 0.038", and "p < 0.001" below that."""
    if absent(probability):
        return ""
    return "p < 0.001" if float(probability or 0) < 0.001 else f"p = {probability:.3f}"
