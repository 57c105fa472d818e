"""Formats numbers, names of columns and values, and sentences for the report."""

import math
import re
from collections.abc import Collection
from typing import Any

from markupsafe import Markup, escape

from deepsight.core.schemas.table_columns import LISTED
from deepsight.core.statistics.significance import p_phrase

MISSING = "–"
MINUS = "\u2212"
NBSP = "\u00a0"  # a number and its unit stay on one line

HEADINGS = {
    "ci_low": "low end", "ci_high": "high end", "p_value": "p", "q_value": "q", "macro_f1": "macro-F1",
    "f1": "F1", "n": "n", "delta_macro_f1": "macro-F1, change", "delta_f1": "F1, change", "p_over": "p over",
    "p_holm": "p, adjusted", "accuracy_p": "accuracy, p", "accuracy_p_holm": "accuracy, p, adjusted",
    "accuracy_difference": "accuracy, change", "ci_low_accuracy": "accuracy, low end",
    "ci_high_accuracy": "accuracy, high end", "bin_low": "from",
    "bin_high": "to", "mended": "fixed", "lr_base": "rate, base", "lr_head": "rate, head",
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
    "ece_debiased": "calibration error, debiased",  # in runs of earlier versions
    "rms_error": "calibration error, root mean square",
    "nll": "negative log-likelihood",
    "mended": "fixed",
    "val": "validation",
    "holdout": "hold-out",
}
# Units of values that people named themselves: an underscore in the name of a class or a file is part of it.
GIVEN_NAMES = re.compile(r"\b(class|classes|files?|runs?|groups?|slices?|pictures?|keys?|backbone|network)\b")
NAMES = ("row", "number of", "seed")  # first words of the units of whole numbers that are not counts

WITH_INTERVAL = frozenset(
    {"share", "net", "rate", "recall", "accuracy", "macro_f1", "object_share", "rejected", "error_rate"}
)
SHARES = WITH_INTERVAL | {
    "precision", "f1", "confidence", "expected", "examined", "retained", "detail_kept",
    "estimated_precision", "agreement", "object_area", "corrected_share", "share_after", "control_macro_f1",
    "sensitivity", "specificity", "area", "mended", "broken", "coverage",
    "coverage_low", "coverage_high", "aimed_accuracy", "confidence_before", "recall_reordered",
}  # fmt: skip
# Differences of shares, which the page shows in points.
POINTS = frozenset({"points", "recall_drop", "recall_gain"})
COMPARED = "accuracy_difference"  # the table that has it compares scores, and its interval is in points too
# Where one of these is in a table, the interval is its own, and no share.
DIFFERENCES = frozenset({"delta_macro_f1", "delta_f1", "control_macro_f1", "effect"})


# In sentences only the names of our tables and treatments are raw; others belong to people.
OURS = sorted({*TREATMENTS, *(name for name in (*VALUES, *LISTED) if "_" in name)}, key=len, reverse=True)
RAW_NAMES = re.compile(rf"(?<![\w./-])(val(?=: )|{'|'.join(OURS)})(?![\w/-]|\.\w)")


def share_columns(columns: Collection[str]) -> frozenset[str]:
    """The columns of a table that hold shares, with the interval columns that belong to one."""
    ends = {name for name in columns if name.startswith(("ci_low", "ci_high"))}
    baseline = {"baseline"} & set(columns) if "error_rate" in columns else set()
    of_shares = WITH_INTERVAL & set(columns) and not DIFFERENCES & set(columns)
    return frozenset(SHARES & set(columns) | baseline | (ends if of_shares else set()))


def point_columns(columns: Collection[str]) -> frozenset[str]:
    """The columns of a table that hold differences of shares."""
    compared = {"difference", "ci_low", "ci_high", COMPARED} if COMPARED in columns else set()
    return (POINTS | compared) & frozenset(columns)


def table_cell(
    item: Any, unit: str, column: str, shares: Collection[str], differences: Collection[str]
) -> str:
    """A value of a table on the page: shares in %, differences of shares in points, all else as it is.

    Args:
        item: the value.
        unit: what the column holds, in words.
        column: its name.
        shares: the columns of this table that hold shares (`share_columns`).
        differences: those that hold differences of shares (`point_columns`).
    """
    if column in differences:
        return points_text(item)
    return percent_text(item) if column in shares and not isinstance(item, int) else value_text(item, unit)


def column_heading(column: str) -> str:
    """The name of a column in words."""
    return HEADINGS.get(column) or column.replace("_", " ").replace("macro f1", "macro-F1")


def value_text(item: Any, unit: str = "") -> str:
    """A value of a table as text: counts with thousands separators, image numbers and seeds without.

    Raw names become words, unless the unit says that people gave the name.
    """
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item) if unit.startswith(NAMES) else count_text(item)
    if isinstance(item, str):
        if GIVEN_NAMES.search(unit):
            return item
        return VALUES.get(item) or (item if "/" in item else item.replace("_", " "))
    if isinstance(item, list):
        return ", ".join(value_text(part, unit) for part in item) or "none"
    return cell_text(item)


def table_title(name: str) -> str:
    """The name of a table in words: "confusion_pairs" becomes "Confusion pairs"."""
    return name.replace("_", " ").capitalize()


def prose_markup(text: str) -> Markup:
    """A stored sentence for the page: a no-break space before %, a true minus before numbers, raw names in
    words, `code` as code.
    """
    spaced = re.sub(r"(?<=\d) ?%", f"{NBSP}%", text)
    spaced = re.sub(r"(?<=[ (])-(?=\d)", MINUS, spaced)
    spaced = re.sub(RAW_NAMES, lambda found: value_text(found[0]), spaced)
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(spaced))))


def p_value_text(probability: float | None) -> str:
    """A p-value as text: "p = 0.038", and "p < 0.001" below that."""
    if is_absent(probability):
        return ""
    return p_phrase(float(probability or 0))


def percent_text(value: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 as a percentage: 0.918 becomes "91.8 %" with a no-break space."""
    text = f"{100 * float(value or 0):.{digits}f}{NBSP}%"
    return MISSING if is_absent(value) else text.replace("-", MINUS)


def points_text(value: float | None, digits: int = 1, *, scale: float = 100) -> str:
    """A difference of shares in signed percentage points, without the unit."""
    return MISSING if is_absent(value) else f"{scale * float(value or 0):+.{digits}f}".replace("-", MINUS)


def count_text(value: float | None) -> str:
    """A whole number with thousands separators: 10000 becomes "10,000"."""
    return MISSING if is_absent(value) else f"{int(value or 0):,}"


def duration_text(seconds: float | None) -> str:
    """Seconds in words: "45 s", "4 min 10 s", "1 h 5 min"."""
    if is_absent(seconds):
        return MISSING
    whole = round(float(seconds or 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def cell_text(value: Any) -> str:
    """Any value of a table as short text; fractions get three significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_absent(value):
        return MISSING
    if isinstance(value, float):
        return fraction_text(value)
    if isinstance(value, list):
        return ", ".join(cell_text(item) for item in value)
    return str(value)


def fraction_text(value: float) -> str:
    """Three significant digits; scientific notation only below 0.0005."""
    if value == 0:
        return "0"
    if abs(value) < 5e-4:
        return f"{value:.1e}".replace("-", MINUS)
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.replace("-", MINUS)


def is_absent(value: Any) -> bool:
    """Whether the value is missing: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))
