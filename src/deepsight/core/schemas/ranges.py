"""Valid ranges of the numbers in the stored tables of a run."""

from collections.abc import Mapping

import polars as pl

Range = tuple[float, float]
SLACK = 1e-6  # for float32 sums that should be 1
LARGEST_WHOLE = 2.0**53
SHARE, AT_LEAST_0, ANY = (0.0, 1.0), (0.0, float("inf")), (-float("inf"), float("inf"))

SHARES = """
    accuracy affinity agreement aimed_accuracy area auc blue_mean blue_sd brightness brightness_sd
    confidence confidence_before coverage coverage_high coverage_low cramers_v detail_kept
    error_rate estimated_precision examined f1 flip_share green_mean green_sd macro_f1 macro_f1_high
    macro_f1_low macro_f1_without_neighbour object_area object_share on_other on_own p_adjusted p_value
    people_differ placebo_share pointing precision probability q_value rate recall recall_reordered
    red_mean red_sd rejected sensitivity share share_after specificity support surest_differ
    target_p_adjusted threshold two_differ val_macro_f1
"""
SIZES = """
    broken disagreement effective_n epoch estimated if_calibrated lr_base lr_head minimum_detectable
    odds_ratio retained scale_x scale_y seconds train_loss val_loss
"""
RANGES: Mapping[str, Range] = {
    **dict.fromkeys(SHARES.split(), SHARE), **dict.fromkeys(SIZES.split(), AT_LEAST_0)
}  # fmt: skip
# Columns whose name has another meaning in one table.
OWN_RANGES: Mapping[tuple[str, str], Range] = {
    ("ambiguity", "score"): SHARE,
    ("attribution_classes", "peak_inside"): SHARE,
    ("ledger_change", "difference"): ANY,
    ("label_errors", "score"): SHARE,
    ("ledger", "fdr"): SHARE,
    ("lever_errors", "fdr"): SHARE,
    ("ledger", "parts"): SHARE,
}
# Columns that hold NaN where a value cannot be computed from too few images.
MAY_BE_NAN = frozenset({("faithfulness", "ci_low"), ("faithfulness", "ci_high"), ("history", "val_loss")})


def require_ranges(table: str, frame: pl.DataFrame) -> None:
    """Refuse a stored table with a number out of its range.

    Numbers must be finite, shares from 0 to 1, and whole numbers at least 0 unless they count a change.

    Raises:
        ValueError: a number is out of its range; the message names the first such column and the number.
    """
    for name, dtype in frame.schema.items():
        values = frame[name].explode() if isinstance(dtype, pl.List) else frame[name]
        if values.dtype.is_numeric():
            require_range(table, name, values.drop_nulls())


def require_range(table: str, name: str, values: pl.Series) -> None:
    """Refuse a column with a number out of its range.

    Raises:
        ValueError: it has one; the message names the column and the number.
    """
    whole = values.dtype.is_integer()
    low, high = OWN_RANGES.get((table, name)) or RANGES.get(name) or (AT_LEAST_0 if whole else ANY)
    if whole:
        high = min(high, LARGEST_WHOLE)
    elif (table, name) in MAY_BE_NAN:
        values = values.filter(values.is_not_nan())
    odd = values.filter(~(values.is_between(low - SLACK, high + SLACK) & values.is_finite()))
    if len(odd):
        raise ValueError(f"its column '{name}' should hold {words_of_range(low, high)}, not {odd[0]:g}")


def words_of_range(low: float, high: float) -> str:
    """A range in words."""
    if (low, high) == ANY:
        return "finite numbers"
    return f"numbers of at least {low:g}" if high >= LARGEST_WHOLE else f"numbers of {low:g} to {high:g}"
