"""Slices: are planted ones found, and how often does chance make one? One command; see README.md.

python -m venv .peers && .peers/bin/pip install -r benchmarks/slices/requirements.txt
PYTHONPATH=src .peers/bin/python benchmarks/slices/run.py
"""

import argparse
import csv
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.tree import DecisionTreeRegressor
from sliceline.slicefinder import Slicefinder

from deepsight.core.statistics.intervals import wilson
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.interpret.slices.slices import slices_table
from deepsight.obtain.cifar10.load import load_cifar10

HERE = Path(__file__).parent
SHARE = 0.06  # of the images that a planted slice holds
RATES = (0.15, 0.25, 0.5)  # error rate inside it; outside it is 0.08 on average
CONDITION = re.compile(r"^(?:(?P<low>[-\d.e]+) < )?(?P<name>[a-z ]+?) (?P<sign>[≤>]) (?P<cut>[-\d.e]+)$")
PLANTS = {
    "dark": ("brightness", "low"),
    "bright": ("brightness", "high"),
    "flat": ("contrast", "low"),
    "blurred": ("sharpness", "low"),
    "grey": ("colourfulness", "low"),
    "small object": ("object_size", "low"),
    "blue border": ("border_blue", "high"),
    "simple": ("compressed_size", "low"),
}


@dataclass(frozen=True)
class Case:
    """One made outcome on real images: what was planted, and which images are wrong."""

    frame: pl.DataFrame
    labels: np.ndarray
    predicted: np.ndarray
    planted: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        return self.labels != self.predicted


Finder = Callable[[Case], np.ndarray | None]


def deepsight(case: Case) -> np.ndarray | None:
    """The images of our surest confirmed slice, read back from its description; None where none is."""
    ids, none = np.arange(len(case.labels)), np.zeros((len(case.labels), 0), dtype=np.float32)
    names = tuple(str(c) for c in range(10))
    found = slices_table(case.frame, case.labels, case.predicted, names, ids, features=none, seed=0).frame
    confirmed = found.filter("confirmed")
    return members(confirmed["description"][0], case.frame) if len(confirmed) else None


def members(description: str, frame: pl.DataFrame) -> np.ndarray:
    """The images that fulfil every condition of a description."""
    inside = np.ones(len(frame), dtype=bool)
    for part in description.split(" and "):
        match = CONDITION.match(part)
        assert match, part
        value = frame[match["name"].replace(" ", "_")].to_numpy()
        cut = float(match["cut"])
        inside &= value <= cut if match["sign"] == "≤" else value > cut
        inside &= value > float(match["low"] or "-inf")
    return inside


def sliceline(case: Case) -> np.ndarray | None:
    """SliceLine's best slice of 80 images or more and 2 conditions at most, on properties in tenths."""
    bins = np.column_stack([deciles(case.frame[name].to_numpy()) for name in case.frame.columns])
    finder = Slicefinder(alpha=0.95, k=1, max_l=2, min_sup=80, verbose=False)
    finder.fit(bins, case.wrong.astype(float))
    if len(finder.top_slices_) == 0:
        return None
    top = finder.top_slices_[0]
    wanted = [(column, value) for column, value in enumerate(top) if value is not None]
    return np.all([bins[:, column] == value for column, value in wanted], axis=0)


def deciles(values: np.ndarray) -> np.ndarray:
    """The tenth that each value falls in, 1 to 10."""
    return 1 + np.searchsorted(np.quantile(values, np.arange(0.1, 1, 0.1)), values)


def same_half_tree(case: Case) -> np.ndarray | None:
    """Customary practice: the worst leaf of a tree, tested by a one-sided z on the images that grew it."""
    values = case.frame.to_numpy()
    tree = DecisionTreeRegressor(max_depth=3, min_samples_leaf=80, random_state=0).fit(values, case.wrong)
    leaf, rate = tree.apply(values), case.wrong.mean()
    scores = {}
    for node in np.unique(leaf):
        inside = leaf == node
        scores[node] = (case.wrong[inside].mean() - rate) / np.sqrt(rate * (1 - rate) / inside.sum())
    worst = max(scores, key=scores.__getitem__)
    return leaf == worst if scores[worst] > 1.645 else None


FINDERS: dict[str, Finder] = {
    "DeepSight": deepsight,
    "SliceLine": sliceline,
    "tree, tested where it was grown": same_half_tree,
}


def make(frame: pl.DataFrame, truth: np.ndarray, plant: str | None, rate: float, seed: int) -> Case:
    """Errors at random within classes (4 to 12 %), and a slice whose images are relabelled until `rate`."""
    rng = np.random.default_rng(seed)
    other = (truth + rng.integers(1, 10, size=len(truth))) % 10
    base = 0.04 + 0.08 * truth / 9
    predicted = np.where(rng.random(len(truth)) < base, other, truth)
    inside = np.zeros(len(truth), dtype=bool)
    if plant:
        name, side = PLANTS[plant]
        value = frame[name].to_numpy()
        inside = (
            value <= np.quantile(value, SHARE) if side == "low" else value > np.quantile(value, 1 - SHARE)
        )
    relabelled = inside & (truth == predicted) & (rng.random(len(truth)) < (rate - base) / (1 - base))
    return Case(frame, np.where(relabelled, other, truth), predicted, inside)


def score(found: np.ndarray | None, planted: np.ndarray) -> dict[str, float]:
    """Precision and recall of the reported slice for the planted images; zeros where none was reported."""
    if found is None:
        return {"precision": 0.0, "recall": 0.0, "found": 0.0}
    shared = float((found & planted).sum())
    precision, recall = shared / max(found.sum(), 1), shared / planted.sum()
    return {"precision": precision, "recall": recall, "found": float(min(precision, recall) >= 0.5)}


def planted_row(name: str, cases: list[Case], rate: float) -> dict[str, object]:
    """How many planted slices one finder finds, and how well it meets them."""
    start = time.process_time()
    scores = [score(FINDERS[name](case), case.planted) for case in cases]
    seconds = (time.process_time() - start) / len(cases)
    mean = {key: round(float(np.mean([s[key] for s in scores])), 3) for key in scores[0]}
    test = f"planted, {rate:.0%} wrong"
    return {"test": test, "finder": name, "n": len(cases), **mean, "cpu_seconds": round(seconds, 3)}


def null_row(name: str, cases: list[Case]) -> dict[str, object]:
    """In how many data sets without a slice one finder reports one."""
    alarms = sum(FINDERS[name](case) is not None for case in cases)
    low, high = (round(float(end), 3) for end in wilson(alarms, len(cases)))
    share = alarms / len(cases)
    return {
        "test": "no slice",
        "finder": name,
        "n": len(cases),
        "alarms": share,
        "ci_low": low,
        "ci_high": high,
    }


def all_rows(
    frame: pl.DataFrame, truth: np.ndarray, finders: list[str], *, repeats: int, null: int
) -> Iterator[dict[str, object]]:
    """Each finder on the same cases, those without a slice first."""
    empty = [make(frame, truth, None, 0.0, 1000 + seed) for seed in range(null)]
    planted = {
        rate: [make(frame, truth, plant, rate, seed) for plant in PLANTS for seed in range(repeats)]
        for rate in RATES
    }
    for name in finders:
        yield null_row(name, empty)
        for rate, cases in planted.items():
            yield planted_row(name, cases, rate)


def write(rows: list[dict[str, object]], out: Path) -> None:
    """The rows as a CSV file; a value that a row lacks stays empty."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few images and repetitions")
    parser.add_argument("--repeats", type=int, default=3, help="data sets for each plant and rate")
    parser.add_argument("--null", type=int, default=100, help="data sets without a slice")
    parser.add_argument("--out", type=Path, help="default: results.csv beside this file; none with --smoke")
    parser.add_argument("--finder", action="append", choices=list(FINDERS), help="default: each of them")
    given = parser.parse_args()
    size, repeats, null = (2000, 1, 3) if given.smoke else (10_000, given.repeats, given.null)
    test = load_cifar10().test.select(np.arange(size))
    frame = measured_properties(test.images)
    rows = []
    for row in all_rows(frame, test.labels, given.finder or list(FINDERS), repeats=repeats, null=null):
        print(row, flush=True)
        rows.append(row)
    out = given.out or (None if given.smoke else HERE / "results.csv")
    if out:
        write(rows, out)


if __name__ == "__main__":
    main()
