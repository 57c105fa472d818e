"""Scores by the values of the metadata: where the model does worse than the classes explain."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.evidence import Table
from deepsight.core.statistics.clusters import accuracy_over, difference_over_groups_p, macro_f1_over
from deepsight.core.statistics.significance import benjamini_hochberg

MOST_VALUES = 12  # a text column with more distinct values names images rather than kinds of image
BINS = 4  # parts of equal size into which a column of many numbers is cut
DRAWS = 2000
EMPTY = "(empty)"
LARGEST = float(np.finfo(np.float32).max)
UNITS = {
    "column": "column of the metadata",
    "value": "value, or range of values",
    "n": "images",
    "accuracy": "share of images classified correctly",
    "ci_low": "95 % interval of accuracy (Wilson), lower end",
    "ci_high": "95 % interval of accuracy, upper end",
    "expected": "accuracy that the classes of these images explain",
    "difference": "accuracy minus expected",
    "macro_f1": "mean F1 of the classes among these images",
    "macro_f1_low": "95 % interval of macro-F1, lower end",
    "macro_f1_high": "95 % interval of macro-F1, upper end",
    "p_value": "chance of differences this large between the values of the column",
    "q_value": "false discovery rate over the columns",
}


def value_columns(metadata: pl.DataFrame) -> dict[str, list[str]]:
    """For each column that has few values, or numbers that can be binned, the value of each image as text."""
    found = {name: column_values(metadata[name]) for name in metadata.columns}
    return {name: values for name, values in found.items() if values is not None}


def column_values(column: pl.Series) -> list[str] | None:
    """The value of each image as text, or its quarter of the numbers; None for too many texts or only one."""
    if column.dtype.is_numeric() and column.n_unique() > MOST_VALUES:
        return quarters(column)
    if not 1 < column.n_unique() <= MOST_VALUES:
        return None
    return [EMPTY if value is None else str(value) for value in column.to_list()]


def quarters(column: pl.Series) -> list[str]:
    """The quarter of the numbers that each value falls into, such as "31 to 45"."""
    values = column.cast(pl.Float64).to_numpy()
    known = np.isfinite(values)
    if not known.any():
        return [EMPTY] * len(values)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, max(len(edges) - 2, 0))
    tops = edges[1:] if len(edges) > 1 else edges
    ends = [f"{low:.4g} to {high:.4g}" for low, high in zip(edges, tops, strict=False)]
    return [ends[i] if there else EMPTY for i, there in zip(place, known, strict=True)]


def metadata_scores_table(
    metadata: pl.DataFrame, labels: Ints, predicted: Ints, *, groups: Ints | None = None, seed: int
) -> Table | None:
    """Evidence table `metadata_scores`; None where no column can be compared.

    Whether the values of a column differ beyond what the classes explain is tested by permutation: errors are
    reassigned within each class (multivariate hypergeometric draws). Where images come in groups, intervals
    are over groups; values are permuted over whole groups where each group has a single value, and otherwise
    the p-value is the larger of that of the permutation and of a Wald test over the groups.

    Args:
        metadata: one row per image.
        labels, predicted: int64 (n,).
        groups: int64 (n,), which images belong together.
        seed: of the draws.
    """
    columns = value_columns(metadata)
    if not columns:
        return None
    wrong, rng = labels != predicted, np.random.default_rng(seed)
    p_values = {
        name: difference_p(np.unique(values, return_inverse=True)[1], wrong, labels, groups, rng)
        for name, values in columns.items()
    }
    q_values = dict(zip(p_values, benjamini_hochberg(list(p_values.values())), strict=True))
    rows = [
        {**row, "p_value": p_values[name], "q_value": float(q_values[name])}
        for name, values in columns.items()
        for row in value_rows(name, np.array(values), labels, predicted, groups)
    ]
    frame = (
        pl.DataFrame(rows).select(list(UNITS)).sort("q_value", "column", "difference", maintain_order=True)
    )
    return Table(
        frame=frame,
        units=UNITS,
        n=len(labels),
        method=f"Accuracy with Wilson's interval by value; columns of numbers in {BINS} parts of equal size; "
        f"differences tested within classes by {DRAWS:,} draws, Benjamini & Hochberg over the columns.",
        caption=metadata_caption(frame, left_out=[name for name in metadata.columns if name not in columns]),
    )


def value_rows(
    name: str, values: NDArray[np.str_], labels: Ints, predicted: Ints, groups: Ints | None
) -> list[dict[str, object]]:
    """One row per value of a column."""
    right, k = labels == predicted, int(max(labels.max(), predicted.max())) + 1
    rates = np.bincount(labels, weights=right) / np.maximum(np.bincount(labels), 1)
    rows = []
    for value in np.unique(values):
        here = np.flatnonzero(values == value)
        n, expected = len(here), float(rates[labels[here]].mean())
        own = None if groups is None else groups[here]
        accuracy, f1 = (
            accuracy_over(right[here], own),
            macro_f1_over(labels[here], predicted[here], k, own, seed=0),
        )
        rows.append(
            {
                "column": name, "value": str(value), "n": n, "accuracy": accuracy.value,
                "ci_low": accuracy.low, "ci_high": accuracy.high, "expected": expected,
                "difference": accuracy.value - expected,
                "macro_f1": f1.value, "macro_f1_low": f1.low, "macro_f1_high": f1.high,
            }
        )  # fmt: skip
    return rows


def difference_p(
    values: Ints, wrong: Bools, labels: Ints, groups: Ints | None, rng: np.random.Generator
) -> float:
    """The permutation p-value of differences this large between values, with one draw added (never 0)."""
    rates = np.bincount(labels, weights=wrong) / np.maximum(np.bincount(labels), 1)
    expected = np.bincount(values, weights=rates[labels]).astype(np.float64)
    observed = statistic(np.bincount(values, weights=wrong).astype(np.float64), expected)
    drawn = drawn_by_groups(values, wrong - rates[labels], expected, groups, rng)
    least = 0.0
    if drawn is None:
        drawn = statistic(drawn_errors(values, wrong, labels, rng), expected)
        least = 0.0 if groups is None else difference_over_groups_p(values, wrong - rates[labels], groups)
    return max(least, float((1 + (drawn >= observed - 1e-9).sum()) / (1 + DRAWS)))


def statistic(errors: Reals, expected: Reals) -> Floats:
    """The sum over values of (errors - expected)² / expected; the last axis holds the values."""
    return np.asarray(((errors - expected) ** 2 / np.maximum(expected, 1e-9)).sum(axis=-1))


def drawn_errors(values: Ints, wrong: Bools, labels: Ints, rng: np.random.Generator) -> Floats:
    """Errors by value (draws, v), with the errors of each class reassigned among its images."""
    total = np.zeros((DRAWS, int(values.max()) + 1))
    for c in np.unique(labels):
        here = labels == c
        sizes = np.bincount(values[here], minlength=total.shape[1])
        total += rng.multivariate_hypergeometric(sizes, int(wrong[here].sum()), size=DRAWS)
    return total


def drawn_by_groups(
    values: Ints, residual: Reals, expected: Reals, groups: Ints | None, rng: np.random.Generator
) -> Floats | None:
    """The statistic (draws,) with values permuted over whole groups; None where a group has several."""
    if groups is None:
        return None
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    if (values[first][group] != values).any():
        return None
    sums, own = np.bincount(group, weights=residual), values[first]
    drawn = [np.bincount(rng.permutation(own), weights=sums, minlength=len(expected)) for _ in range(DRAWS)]
    return statistic(np.array(drawn) + expected, expected)


def metadata_caption(frame: pl.DataFrame, *, left_out: list[str]) -> str:
    """The columns that differ, and those that could not be compared."""
    found = frame.filter(pl.col("q_value") <= 0.05)["column"].unique(maintain_order=True).to_list()
    more = f" Not compared: {', '.join(left_out)}." if left_out else ""
    n = frame["column"].n_unique()
    named = f": {', '.join(found)}" if found else ""
    return (
        f"Accuracy differs between the values of {len(found)} of {n} columns by more than the classes "
        f"explain{named}.{more}"
    )


def finite_numbers(column: pl.Series) -> pl.Series:
    """A column of numbers with missing and infinite values set to the median, in the range of float32."""
    values = column.cast(pl.Float64)
    known = values.filter(values.is_finite())
    middle = float(np.median(known.to_numpy())) if len(known) else 0.0
    filled = values.set(~values.is_finite(), None).fill_null(middle)
    return filled.clip(-LARGEST, LARGEST)


def property_columns(metadata: pl.DataFrame) -> pl.DataFrame:
    """The metadata as numbers to search slices over: an indicator column per value, and numbers unchanged.

    Empty cells of numbers, NaN and infinity take the median.
    """
    found: dict[str, list[float]] = {}
    for name in metadata.columns:
        column = metadata[name]
        if column.dtype.is_numeric() and column.n_unique() > MOST_VALUES:
            found[name] = finite_numbers(column).to_list()
        elif (values := column_values(column)) is not None:
            kinds = sorted(set(values))
            found |= {f"{name} = {kind}": [float(v == kind) for v in values] for kind in kinds}
    return pl.DataFrame(found)
