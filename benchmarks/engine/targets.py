"""The targets of the release beside what was last measured on this kind of processor, from the stored rows.

Short measurements are in results.csv, times to a score in ../time_to_f1/results.csv (run.py there, with the
arm `before`), and whole studies in studies.csv, one row per `deepsight run --minutes 5` with an empty
cache.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TIMES, STUDIES = HERE.parent / "time_to_f1/results.csv", HERE / "studies.csv"
LITE0 = "tf_efficientnet_lite0"
Rows = list[dict[str, str]]
Values = Sequence[float]


@dataclass(frozen=True)
class Target:
    """One target: at least this value, or at most.

    Attributes:
        measure: what is measured.
        value: the target.
        found: what was measured, one value for each pair of runs or of medians; empty if nothing was.
        at_most: whether smaller is better.
    """

    measure: str
    value: float
    found: Values
    at_most: bool = False

    @property
    def line(self) -> str:
        """The row of the table."""
        sign = "≤" if self.at_most else "≥"
        if not len(self.found):
            return f"| {self.measure} | {sign} {self.value:g} | not measured | | |"
        middle = float(np.median(self.found))
        met = middle <= self.value if self.at_most else middle >= self.value
        runs = ", ".join(f"{value:.3g}" for value in self.found)
        return (
            f"| {self.measure} | {sign} {self.value:g} | {middle:.3g} | {runs} | {'yes' if met else 'no'} |"
        )


def stored(path: Path, machine: str) -> Rows:
    """The rows of a file that were measured on this kind of processor."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["machine"].startswith(machine)]


def last(rows: Rows, question: str, setting: str, measure: str) -> Values:
    """The latest value of a short measurement."""
    found = [
        float(row["value"])
        for row in rows
        if row["question"] == question and row["setting"] == setting and row["measure"].startswith(measure)
    ]
    return found[-1:]


def by_seed(rows: Rows, arm: str, target: float, resolution: int, backbone: str) -> dict[str, float]:
    """Seconds of an arm's latest run that reached its score, for each seed."""
    return {
        row["seed"]: float(row["seconds"])
        for row in rows
        if (row["arm"], row["backbone"], int(row["resolution"])) == (arm, backbone, resolution)
        and float(row["target"]) == target <= float(row["macro_f1"])
    }


def of_pairs(above: dict[str, float], below: dict[str, float]) -> Values:
    """The ratios for the seeds that both have."""
    return [above[seed] / below[seed] for seed in above if seed in below]


def over(above: Values, below: Values) -> Values:
    """The median of some values over that of others; nothing if either is empty."""
    return [float(np.median(above) / np.median(below))] if len(above) and len(below) else []


def short_targets(rows: Rows) -> Iterator[Target]:
    """What `run.py` measures in minutes."""
    for side in ("64 px", "128 px"):
        yield Target(f"frozen stages to the cache, {side}", 2.2, last(rows, "bars", side, "frozen stages"))
        yield Target(f"prediction in float32, {side}", 1.25, last(rows, "bars", side, "prediction"))
        yield Target(f"training step, {side}", 1.3, last(rows, "bars", side, "training step"))
    for command in ("import deepsight", "deepsight --help"):
        yield Target(f"{command}, s", 0.3, last(rows, "start", command, "seconds"), at_most=True)
    yield Target(
        "`examine` of 10,000 predictions, s", 15, last(rows, "examine", "64 px", "seconds"), at_most=True
    )
    yield Target(
        "near-duplicates of 60,000 images, s", 20, last(rows, "duplicates", "60,000", "seconds"), at_most=True
    )


def study_targets(rows: Rows) -> Iterator[Target]:
    """The default study, with the version before."""

    def column(version: str, name: str) -> Values:
        return [float(row[name]) for row in rows if row["version"] == version]

    today, before = (column(version, "macro_f1") for version in ("today", "before"))
    gain = [100 * float(np.median(today) - np.median(before))] if today and before else []
    yield Target(
        "default study: training images, ratio", 1.8, over(column("today", "rows"), column("before", "rows"))
    )
    yield Target(
        "default study: images that steps see, ratio",
        1.8,
        over(column("today", "seen"), column("before", "seen")),
    )
    yield Target("default study: macro-F1, points more", 0.8, gain)
    yield Target(
        "default study: memory, ratio",
        1,
        over(column("today", "peak_mb"), column("before", "peak_mb")),
        at_most=True,
    )


def time_targets(rows: Rows) -> Iterator[Target]:
    """Times to a score: with the version before, and with the peers."""
    for target, side in ((0.85, 96), (0.90, 128), (0.92, 128)):
        ours, before = (by_seed(rows, arm, target, side, LITE0) for arm in ("ours", "before"))
        ratios = of_pairs(ours, before)
        yield Target(f"time to {target:.2f} over that of the version before", 0.6, ratios, at_most=True)
    asked = (
        ("", 0.85, 96, LITE0, 14), ("", 0.90, 128, LITE0, 12), ("-same-rows", 0.85, 96, LITE0, 6),
        ("", 0.85, 128, "resnet18", 10), ("", 0.90, 128, "resnet18", 8),
    )  # fmt: skip
    for (rest, target, side, backbone, wanted), peer in product(asked, ("plain", "fastai")):
        peers, ours = (by_seed(rows, arm, target, side, backbone) for arm in (peer + rest, "ours"))
        name = f"{peer}{rest}, {backbone}, {side} px, time to {target:.2f} over ours"
        yield Target(name, wanted, of_pairs(peers, ours))


def targets_table(machine: str) -> str:
    """Every target with what was measured on this kind of processor."""
    found = [
        *short_targets(stored(HERE / "results.csv", machine)),
        *study_targets(stored(STUDIES, machine)),
        *time_targets(stored(TIMES, machine)),
    ]
    lines = [f"| {machine} | target | median | values | met |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(target.line for target in found)])
