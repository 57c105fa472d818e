"""Images that are of little use for training: dark, bright, blurred, empty, or of an odd size or shape."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from deepsight.core.array_types import Bools, Floats
from deepsight.core.dataset import Images
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import wilson
from deepsight.core.statistics.robust import TO_DEVIATIONS
from deepsight.images.brightness import luma

BLOCK = 1024  # images in memory at once
HABIT = 0.25  # share of images beyond a limit from which on this is typical of the data set
FAR = 4.0  # robust standard deviations beyond which an image is odd even in such a data set
LEAST_CONTRAST = 0.03  # of luma; below it, sharpness measures only noise


@dataclass(frozen=True)
class Rule:
    """The limits of one issue.

    Attributes:
        issue: name of the issue.
        column: the measure that decides.
        low, high: an image has the issue below or above this value; None if there is no such limit.
        unit: of the value.
    """

    issue: str
    column: str
    unit: str
    low: float | None = None
    high: float | None = None


RULES = (
    Rule("dark", "luma_high", "99th percentile of luma, 0 to 1", low=0.3),
    Rule("bright", "luma_low", "5th percentile of luma, 0 to 1", high=0.9),
    Rule("blurred", "sharpness", "mean absolute Laplacian over the deviation of luma", low=0.1),
    Rule("low information", "entropy", "bits of the histogram of luma, 0 to 5", low=1.0),
    Rule("odd size", "size", "side of a square of as many pixels, over the median", low=0.25, high=4.0),
    Rule("odd aspect", "aspect", "width over height, over the median", low=0.4, high=2.5),
)
ISSUES = tuple(rule.issue for rule in RULES)


def luma_range(images: Images) -> tuple[Floats, Floats]:
    """The 5th and the 99th percentile of the luma of each image, (n,) each, 0 to 1.

    Args:
        images: uint8 (n, h, w, 3); read in blocks.
    """
    low, high = np.empty(len(images)), np.empty(len(images))
    for start in range(0, len(images), BLOCK):
        pixels = np.asarray(images[start : start + BLOCK], dtype=np.float32) / np.float32(255)
        grey = luma(pixels).reshape(len(pixels), -1)
        places = [int(q * (grey.shape[1] - 1)) for q in (0.05, 0.99)]
        found = np.partition(grey, places, axis=1)[:, places]
        low[start : start + len(pixels)], high[start : start + len(pixels)] = found.T
    return low, high


def issue_measures(
    luma_ends: tuple[Floats, Floats], properties: pl.DataFrame, headers: pl.DataFrame | None
) -> pl.DataFrame:
    """The columns that the rules read, one row per image; size and aspect only if files state them.

    Args:
        luma_ends: from `luma_range`.
        properties: contrast, sharpness and entropy of each image.
        headers: width and height in pixels, or None if the images are not files.
    """
    contrast = properties["contrast"].to_numpy()
    ratio = np.where(contrast > LEAST_CONTRAST, properties["sharpness"].to_numpy(), np.nan)
    low, high = luma_ends
    measures = {
        "luma_low": low,
        "luma_high": high,
        "sharpness": ratio / np.maximum(contrast, LEAST_CONTRAST),
        "entropy": properties["entropy"].to_numpy(),
    }
    if headers is not None and headers["width"].count():
        size = (headers["width"] * headers["height"]).cast(pl.Float64).sqrt()
        aspect = headers["width"] / headers["height"]
        measures |= {
            "size": (size / size.median()).to_numpy(), "aspect": (aspect / aspect.median()).to_numpy()
        }  # fmt: skip
    return pl.DataFrame(measures)


def image_issue_tables(measures: pl.DataFrame, keys: pl.DataFrame) -> dict[str, Table]:
    """Evidence tables `image_issue_counts` and `image_issues`.

    An image has an issue if it is beyond a fixed limit. If more than a quarter of the images are, as with
    digits on black, this is typical of the data, and an image must also be four robust deviations from the
    median.

    Args:
        measures: from `issue_measures`, n rows.
        keys: split and index of each image.
    """
    flags = {rule.issue: (rule, has_issue(rule, measures)) for rule in RULES if rule.column in measures}
    rows = [issue_rows(rule, flag, measures, keys) for rule, flag in flags.values()]
    counts = pl.DataFrame([count_row(rule, flag) for rule, flag in flags.values()])
    return {
        "image_issue_counts": counts_table(counts, len(measures)),
        "image_issues": rows_table(pl.concat(rows), len(measures)),
    }


def has_issue(rule: Rule, measures: pl.DataFrame) -> Bools:
    """Whether each image has the issue, bool (n,); false where the measure is unknown."""
    values = measures[rule.column].to_numpy().astype(np.float64)
    below = values < (-np.inf if rule.low is None else rule.low)
    above = values > (np.inf if rule.high is None else rule.high)
    beyond = below | above
    if beyond.mean() <= HABIT:
        return np.asarray(beyond)
    middle = float(np.nanmedian(values))
    deviation = TO_DEVIATIONS * float(np.nanmedian(np.abs(values - middle)))
    return np.asarray(beyond & (np.abs(values - middle) > FAR * max(deviation, 1e-9)))


def issue_rows(rule: Rule, flag: Bools, measures: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """The images with an issue, the worst first."""
    frame = keys.with_columns(measures[rule.column].alias("value"), issue=pl.lit(rule.issue))
    both = rule.low is not None and rule.high is not None
    rank = pl.col("value").log().abs() if both else pl.col("value")
    worst = frame.filter(pl.Series(flag)).sort(rank, descending=rule.high is not None)
    return worst.select("split", "index", "issue", "value")


def count_row(rule: Rule, flag: Bools) -> dict[str, object]:
    """How many images have an issue."""
    low, high = wilson(int(flag.sum()), len(flag))
    ends = (("below", rule.low), ("above", rule.high))
    limits = [f"{word} {limit:g}" for word, limit in ends if limit is not None]
    return {
        "issue": rule.issue, "n": int(flag.sum()), "share": float(flag.mean()), "ci_low": float(low),
        "ci_high": float(high), "limit": " or ".join(limits), "measure": rule.unit,
    }  # fmt: skip


METHOD = (
    "Fixed limits on luma, entropy and sharpness of the stored pixels and on the size of the file; where "
    f"more than {HABIT:.0%} of the images are beyond one, also {FAR:g} robust deviations from the median."
)


def counts_table(frame: pl.DataFrame, n: int) -> Table:
    """How many images have each issue."""
    found = frame.filter(pl.col("n") > 0)
    said = ", ".join(f"{row['n']:,} {row['issue']}" for row in found.iter_rows(named=True))
    units: Mapping[str, str] = {
        "issue": "what is odd",
        "n": "images",
        "share": "of all images",
        "ci_low": "95 % interval (Wilson), low end",
        "ci_high": "95 % interval, high end",
        "limit": "the value at which it begins",
        "measure": "what is measured",
    }
    return Table(frame, units, n, METHOD, f"Of {n:,} images: {said or 'none is odd'}.")


def rows_table(frame: pl.DataFrame, n: int) -> Table:
    """The images with an issue."""
    units = {
        "split": "split",
        "index": "row in the official order of the split",
        "issue": "what is odd",
        "value": "the measure, see image_issue_counts",
    }
    number = frame.select("split", "index").n_unique()
    return Table(frame, units, n, METHOD, f"{number:,} images have an issue.")
