"""Attributes of the files that reveal the class: the camera, the day, the format, the size, the name."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.significance import benjamini_hochberg

DRAWS = 499  # permutations of the labels; the smallest p is 1 in 500
LEAST_GAIN = 0.05  # of accuracy above chance, from which on an attribute is flagged
LEVEL = 0.01  # false discovery rate over the attributes
COUNTER = re.compile(r"[\d\W_]+")


def file_attributes(
    files: Sequence[str] | None, headers: pl.DataFrame | None, classes: Sequence[str]
) -> pl.DataFrame:
    """Attributes of the files other than their pixels, as text columns, one row per image.

    Args:
        files: the names, or None. Class names in them are left out, since many files are named after them.
        headers: the table of `obtain.decoding.headers`, or None.
        classes: names of the classes.
    """
    columns: dict[str, list[str | None]] = {}
    if headers is not None:
        columns |= {name: headers[name].to_list() for name in ("camera", "software", "format", "mode")}
        columns["size"] = [
            None if w is None else f"{w} x {h}" for w, h in headers.select("width", "height").iter_rows()
        ]
        columns["day"] = [day_of(taken) for taken in headers["taken"]]
        columns["hour"] = [day_of(taken, "%H") for taken in headers["taken"]]
    if files is not None:
        columns["name"] = [name_pattern(file, classes) for file in files]
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def day_of(taken: float | None, form: str = "%Y-%m-%d") -> str | None:
    """The day of an exposure by the camera's clock; None if it is unknown.

    Args:
        taken: in seconds since 1970.
        form: of the result, as in `strftime`.
    """
    if taken is None or not np.isfinite(taken):
        return None
    return datetime.fromtimestamp(taken, UTC).strftime(form)


def name_pattern(file: str, classes: Sequence[str]) -> str:
    """The words of a file's name without counters, ending and class names."""
    stem = PurePosixPath(file).stem.lower()
    for name in sorted(classes, key=len, reverse=True):
        stem = stem.replace(name.lower(), " ")
    return " ".join(word for word in COUNTER.split(stem) if word) or "(number)"


def shortcuts_table(attributes: pl.DataFrame, labels: Ints, classes: Sequence[str], *, seed: int) -> Table:
    """Evidence table `shortcuts`: how well each attribute alone predicts the class, the best first.

    The class of an image is predicted as the most frequent one among the other images with the same value.
    The accuracy is compared with that for shuffled labels.

    Args:
        attributes: from `file_attributes`, n rows.
        labels: int64 (n,), positions in the classes.
        classes: names of the classes.
        seed: of the shuffles.
    """
    rng = np.random.default_rng(seed)
    usable = [name for name in attributes.columns if 1 < attributes[name].n_unique() < len(attributes)]
    rows = [shortcut_row(name, attributes[name], labels, classes, rng) for name in usable]
    q_values = benjamini_hochberg([row["p_value"] for row in rows])
    for row, q in zip(rows, q_values, strict=True):
        gain = row["accuracy"] - row["expected"]
        row |= {"q_value": float(q), "flagged": bool(q <= LEVEL and gain >= LEAST_GAIN)}
    frame = pl.DataFrame(rows, schema=SCHEMA).sort("flagged", "accuracy", descending=True)
    return Table(
        frame, UNITS, len(labels),
        f"Leave-one-out vote among images with the same value, against {DRAWS} shuffles of the labels; "
        f"Cramér's V with Bergsma's correction (2013); flagged at a false discovery rate of {LEVEL:.0%} and "
        f"{100 * LEAST_GAIN:g} points above chance.",
        shortcuts_caption(frame),
    )  # fmt: skip


UNITS = {
    "attribute": "attribute of the files, other than their pixels",
    "values": "different values",
    "n": "images that have one",
    "accuracy": "share of images whose class the attribute alone predicts",
    "expected": "the same with shuffled labels",
    "cramers_v": "strength of the association, 0 to 1",
    "p_value": "chance of at least this accuracy with shuffled labels",
    "q_value": "false discovery rate over the attributes",
    "example": "the most telling value",
    "flagged": "whether to look",
}
SCHEMA = dict.fromkeys(UNITS, pl.Float64) | {
    "attribute": pl.String, "values": pl.Int64, "n": pl.Int64, "example": pl.String, "flagged": pl.Boolean,
}  # fmt: skip


def shortcut_row(
    name: str, column: pl.Series, labels: Ints, classes: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """The row of one attribute."""
    known = column.is_not_null().to_numpy()
    texts = column.filter(pl.Series(known)).to_numpy().astype(str)
    values, codes = np.unique(texts, return_inverse=True)
    given, k = labels[known], len(classes)
    counts = crossed(codes, given, len(values), k)
    drawn = [told(crossed(codes, rng.permutation(given), len(values), k)) for _ in range(DRAWS)]
    observed, n = told(counts), max(int(known.sum()), 1)
    best = int(np.argmax(counts.max(axis=1) - counts.sum(axis=1) * np.bincount(given).max() / n))
    share = counts[best].max() / counts[best].sum()
    return {
        "attribute": name, "values": len(values), "n": int(known.sum()), "accuracy": observed / n,
        "expected": float(np.mean(drawn)) / n, "cramers_v": cramers_v(counts),
        "p_value": (1 + sum(one >= observed for one in drawn)) / (1 + DRAWS),
        "example": f"{values[best]}: {share:.0%} {classes[int(counts[best].argmax())]}",
    }  # fmt: skip


def crossed(codes: Ints, labels: Ints, values: int, k: int) -> NDArray[np.int64]:
    """Images by value and class, (values, k)."""
    return np.bincount(codes * k + labels, minlength=values * k).reshape(values, k).astype(np.int64)


def told(counts: NDArray[np.int64]) -> int:
    """Number of images that the vote of the others with the same value predicts correctly; ties are wrong."""
    second, first = np.partition(counts, -2, axis=1)[:, -2:].T
    return int(first[first - 1 > second].sum())


def cramers_v(counts: NDArray[np.int64]) -> float:
    """Cramér's V of a table of counts with Bergsma's correction for its bias, 0 to 1."""
    filled = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    n, (r, k) = int(filled.sum()), filled.shape
    if min(r, k) < 2 or n < 2:
        return 0.0
    expected = filled.sum(axis=1, keepdims=True) * filled.sum(axis=0, keepdims=True) / n
    phi = float(((filled - expected) ** 2 / expected).sum()) / n
    corrected = max(0.0, phi - (r - 1) * (k - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(corrected / smaller)) if smaller > 0 else 0.0


def shortcuts_caption(frame: pl.DataFrame) -> str:
    """A sentence that names the attributes which predict the class."""
    found = frame.filter("flagged").to_dicts()
    if not found:
        if frame.is_empty():
            return "The files have no attribute, such as a camera or a date, that could give the class away."
        return f"None of {len(frame)} attributes of the files gives the class away."
    said = [f"{r['attribute']} ({r['accuracy']:.0%}, by chance {r['expected']:.0%})" for r in found]
    return f"The class can be predicted without looking at the picture, from {', '.join(said)}."


def words_pattern(names: Sequence[str]) -> re.Pattern[str]:
    """Any of these names as a whole word, the longest first: "cat" in "cat01.png", not in "catalogue.png".

    A name that ends in a digit is whole if no other digit follows: "type1" is not in "type12.png".
    """
    worded = [name for name in sorted(names, key=len, reverse=True) if any(c.isalpha() for c in name)]
    whole = [
        rf"(?<!{character_pattern(name[0])}){re.escape(name)}(?!{character_pattern(name[-1])})"
        for name in worded
    ]
    return re.compile("|".join(whole) or r"(?!)")


def character_pattern(character: str) -> str:
    """A pattern of the characters that would continue a name ending in this one: digits, or letters."""
    return r"\d" if character.isdigit() else r"[^\W\d_]"


def misnamed_table(files: Sequence[str], keys: pl.DataFrame, labels: Ints, classes: Sequence[str]) -> Table:
    """Evidence table `misnamed`: files whose name contains another class's name, but not their own class's.

    A class whose name has no letter, such as "7", is not searched for, since files are numbered.

    Args:
        files: (n,) names; only the last part counts.
        keys: split and index of each image.
        labels: int64 (n,).
        classes: names of the classes.
    """
    pattern = words_pattern([name.lower() for name in classes])
    found = [set(pattern.findall(PurePosixPath(file).name.lower())) for file in files]
    own = [classes[label] for label in labels]
    frame = keys.select("split", "index").with_columns(
        pl.Series("given", own, dtype=pl.String),
        pl.Series("named", [", ".join(sorted(each)) for each in found], dtype=pl.String),
    )
    other = [bool(each) and name.lower() not in each for each, name in zip(found, own, strict=True)]
    frame = frame.filter(pl.Series(other, dtype=pl.Boolean))
    return Table(
        frame,
        {
            "split": "split",
            "index": "row in the official order of the split",
            "given": "class name, as labelled",
            "named": "class that the file's name holds",
        },
        len(files),
        "Class names as whole words in the last part of each path.",
        f"{len(frame):,} of {len(files):,} files are named after a class other than their own.",
    )
