"""Checks of a run's stored tables: evidence, training history and images.

`table_columns` lists their columns and `ranges` the valid numbers; this module defines the column types.
"""

from collections.abc import Mapping

import polars as pl

from deepsight.core.schemas.ranges import require_ranges
from deepsight.core.schemas.table_columns import LISTED, require_columns

TABLES = frozenset(LISTED)
COLUMNS: Mapping[str, str] = {
    "whole": """
        a_as_b b b_as_a cells column count errors g groups images images_for_a_point index index_a
        index_b n n_after n_before n_now n_test n_with_neighbour n_without_neighbour neighbourhood
        objects r rank row seeds severity shared_digests shared_ids size steps tile train_index
        train_rows trainings twin_index values
    """,
    "number": """
        accuracy affinity after agreement aimed_accuracy area auc baseline before bin_high bin_low
        blue_mean blue_sd brightness brightness_sd broken ci_high ci_low confidence confidence_before
        contrast contrast_share corrected_share coverage coverage_high coverage_low cramers_v deletion
        delta delta_ci_high delta_ci_low delta_f1 delta_macro_f1 delta_target detail_kept difference
        disagreement distance drop effect effective_n epoch error_rate estimated estimated_precision
        examined expected f1 flip_share gain gain_at_most green_mean green_sd if_calibrated insertion ks
        log_probability lr_base lr_head macro_f1 macro_f1_high macro_f1_low macro_f1_without_neighbour mended
        minimum_detectable mirror_agreement moved net now object_area object_share odds_ratio on_other
        on_own p_adjusted p_value people_differ placebo_share pointing points precision probability
        q_value rate recall recall_drop recall_gain recall_reordered red_mean red_sd rejected retained
        scale_x scale_y score seconds sensitivity share share_after share_difference shift_x shift_y
        specificity strongest support surest_differ target_ci_high target_ci_low target_p_adjusted
        threshold tolerance train_loss two_differ val_loss val_macro_f1 value without_ci_high
        without_ci_low worst_ci_high worst_ci_low worst_delta_f1 x y
    """,
    "text": """
        advice arm attribute because by caption cause change check class class_a class_b cluster control
        corruption description detected digest dominant example fault file file_a file_b first given group
        image_file issue kind label_a label_b labels last layer limit measure method name named note
        output p_over pair phase predicted predicted_a predicted_b preprocessing property quantity
        reason same_as second source split split_a split_b stage statement status suggested target
        target_verdict test train_label treatment true twin_file twin_split verdict without_background
        worst_class
    """,
    "flag": """
        antialias calibrated chosen confirmed drifted exchanged flagged mirrored passed peak_inside
        registered resists stable stays
    """,
    "list of text": "causes classes evidence levers not_examined regressed splits",
    "list of whole": "examples",
    "list of number": "fdr parts",
}
KINDS: Mapping[str, str] = {name: kind for kind, names in COLUMNS.items() for name in names.split()}
# Columns whose name has another meaning in one table.
EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("attribution_classes", "peak_inside"): "number",
    ("attribution_maps", "evidence"): "number",
    ("compared_with", "score"): "text",
    ("duplicates", "cluster"): "whole",
    ("images", "group"): "whole",
    ("influence", "mended"): "flag",
    ("label_error_summary", "flagged"): "whole",
    ("ledger_change", "difference"): "whole",
    ("lever_neighbourhoods", "classes"): "text",
    ("metadata_scores", "column"): "text",
    ("metadata_scores", "value"): "text",
}


def checked_table(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A stored table that passed `require_table`, whose columns without values have their type.

    Raises:
        ValueError: as `require_table`.
    """
    require_table(table, frame)
    return with_types_of_empty_columns(table, frame)


def require_table(table: str, frame: pl.DataFrame) -> None:
    """Refuse a stored table with columns, types or numbers that DeepSight does not write.

    A table with an unknown name, as of a later version, need only hold plain values.

    Raises:
        ValueError: a column is wrong; the message names the first, and what was expected.
    """
    require_columns(table, frame)
    require_kinds(table, frame)
    require_ranges(table, frame)


def require_kinds(table: str, frame: pl.DataFrame) -> None:
    """Refuse a stored table in which a column has another type than DeepSight writes there.

    Raises:
        ValueError: a column has; the message names the first.
    """
    for name, dtype in frame.schema.items():
        kind = kind_of_column(table, name)
        if not any(is_of_kind(dtype, fitting) for fitting in ([kind] if kind else KIND_WORDS)):
            wanted = KIND_WORDS[kind] if kind else "plain values"
            raise ValueError(f"its column '{name}' should hold {wanted}, not {dtype}")


def kind_of_column(table: str, column: str) -> str | None:
    """What a column of a table holds; None where any plain value may stand there."""
    return EXCEPTIONS.get((table, column)) or (KINDS.get(column) if table in TABLES else None)


def with_types_of_empty_columns(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The same table, whose columns without any value have the type that their values would have.

    Parquet can store such a column without a type, and then it joins with nothing.
    """
    kinds = {
        name: kind_of_column(table, name)
        for name, dtype in frame.schema.items()
        if dtype.base_type() is pl.Null
    }
    return frame.cast({name: TYPES[kind] for name, kind in kinds.items() if kind is not None})


KIND_WORDS = {
    "whole": "whole numbers", "number": "numbers", "text": "text", "flag": "true or false",
    "list of text": "lists of text", "list of whole": "lists of whole numbers",
    "list of number": "lists of numbers",
}  # fmt: skip
TYPES: Mapping[str, pl.DataType] = {
    "whole": pl.Int64(), "number": pl.Float64(), "text": pl.String(), "flag": pl.Boolean(),
    "list of text": pl.List(pl.String), "list of whole": pl.List(pl.Int64),
    "list of number": pl.List(pl.Float64),
}  # fmt: skip


def is_of_kind(dtype: pl.DataType, kind: str) -> bool:
    """Whether a column type is of this kind; a column without any value is of every kind."""
    if dtype == pl.Null:
        return True
    if kind.startswith("list of "):
        return isinstance(dtype, pl.List) and is_of_kind(dtype.inner, kind.removeprefix("list of "))  # type: ignore[arg-type]
    if kind == "flag":
        return dtype == pl.Boolean
    if kind == "whole":
        return dtype.is_integer()
    if kind == "number":
        return dtype.is_integer() or dtype.is_float()
    return dtype == pl.String or isinstance(dtype, pl.Enum | pl.Categorical)
