"""Several runs on the same test images: scores, paired tests against the first, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Bools, Ints
from deepsight.core.errors import UsageError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.file_columns import with_files
from deepsight.core.run import METRICS, Run
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from deepsight.core.statistics.significance import holm
from deepsight.report.comparison import write_comparison
from deepsight.treat.compare import aligned_predictions
from deepsight.workflows.compare.movement import causes_table, levers_of_runs_table, settings_table
from deepsight.workflows.compare.thumbnails import thumbnails
from deepsight.workflows.compare.two_runs import (
    accuracy_test,
    classes_of_run,
    groups_of_test,
    require_same_images,
)

LEVEL = 0.05
MOST_ALONE = 24  # images that the page shows for each run


@dataclass(frozen=True)
class ComparedRuns:
    """Runs on the same test images.

    Attributes:
        runs: the run folders.
        names: a different name for each.
        classes: of all of them.
        labels: int64 (n,).
        predicted: int64 (r, n), one row per run.
        ids: int64 (n,), rows in the official order of test.
        groups: int64 (n,), the group of each image, or None.
    """

    runs: tuple[Run, ...]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    labels: Ints
    predicted: Ints
    ids: Ints
    groups: Ints | None

    @cached_property
    def right(self) -> Bools:
        """Whether each run is right on each image, (r, n)."""
        return np.asarray(self.predicted == self.labels)


def compare_many(runs: Sequence[str | Path], out: str | Path | None = None) -> Evidence:
    """Compare runs on the same test images, each against the first.

    Args:
        runs: at least two run folders.
        out: an HTML file to write, which opens without a network.

    Returns:
        The tables `runs`, `differences`, `alone` (images that only one run gets right), `settings`, and
        `causes` and `levers` if at least two runs have them.

    Raises:
        UsageError: fewer than two runs, one of them twice, or runs with different classes.
        DeepSightError: there is no run, or the images or labels differ.
    """
    compared = opened_runs([Path(run) for run in runs])
    tables = {
        "runs": runs_table(compared),
        "differences": differences_table(compared),
        "alone": alone_table(compared),
        "settings": settings_table(compared.runs, compared.names),
    }
    moved = {"causes": causes_table(compared.runs, compared.names)}
    moved["levers"] = levers_of_runs_table(compared.runs, compared.names)
    found = Evidence(tables | {name: table for name, table in moved.items() if table is not None})
    found = with_files(found, compared.runs[0].file_names())
    if out is not None:
        rows = found["alone"].frame.group_by("run", maintain_order=True).head(MOST_ALONE)
        write_comparison(Path(out), compared.names, found, thumbnails(compared.runs, rows["index"].to_list()))
    return found


def opened_runs(paths: Sequence[Path]) -> ComparedRuns:
    """The runs, with their predictions in the order of the first."""
    if len(paths) < 2 or len({path.resolve() for path in paths}) < len(paths):
        again = [str(path) for number, path in enumerate(paths) if path in paths[:number]]
        twice = f", received {again[0]} twice" if again else ""
        raise UsageError(
            f"Expected at least two different runs{twice}: deepsight compare runs/first runs/second."
        )
    runs = tuple(Run.open(path) for path in paths)
    classes = classes_of_run(runs[0])
    for run in runs[1:]:
        require_same_images(runs[0], run)
        if classes_of_run(run) != classes:
            raise UsageError(f"Expected the classes of {runs[0].path} in {run.path}, received others.")
    first = runs[0].predictions("test")
    both = [aligned_predictions(first, run.predictions("test"), len(classes)) for run in runs]
    labels, ids = both[0].labels, both[0].ids
    predicted = np.stack([each.second for each in both])
    groups = groups_of_test(runs[0], ids)
    return ComparedRuns(runs, names_of(paths), tuple(classes), labels, predicted, ids, groups)


def names_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """The names of the folders, or their paths where two have one name."""
    names = tuple(path.resolve().name for path in paths)
    taken = {"setting", "file"}  # names of other columns in the tables
    return names if len({*names, *taken}) == len(names) + len(taken) else tuple(map(str, paths))


def runs_table(compared: ComparedRuns) -> Table:
    """The scores of each run with their intervals, its backbone, resolution, training images and time."""
    rows = [run_row(run, name) for run, name in zip(compared.runs, compared.names, strict=True)]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    best = frame.sort("macro_f1", descending=True).row(0, named=True)
    units = {
        "run": "name of the run", "macro_f1": "0 to 1", "ci_low": "95 % interval of macro-F1, low end",
        "ci_high": "95 % interval of macro-F1, high end", "accuracy": "0 to 1",
        "ci_low_accuracy": "95 % interval, low end",
        "ci_high_accuracy": "95 % interval, high end",
        "backbone": "name of the backbone", "resolution": "pixels", "training_images": "images",
        "seconds": "of the study",
    }  # fmt: skip
    return Table(
        frame=frame, units=units, n=len(compared.ids), method="As each run's metrics.json says.",
        caption=f"The highest macro-F1 is {best['macro_f1']:.1%}, of {best['run']}.",
    )  # fmt: skip


def run_row(run: Run, name: str) -> dict[str, Any]:
    """One run."""
    metrics = run.require(METRICS, stage="interpret").metrics()
    low, high = metrics.get("macro_f1_ci95") or (None, None)
    accuracy_low, accuracy_high = metrics.get("accuracy_ci95") or (None, None)
    plan = run.study().get("plan") or {}
    return {
        "run": name, "macro_f1": metrics["macro_f1"], "ci_low": low, "ci_high": high,
        "accuracy": metrics.get("accuracy"), "ci_low_accuracy": accuracy_low,
        "ci_high_accuracy": accuracy_high,
        "backbone": metrics.get("backbone"), "resolution": metrics.get("resolution"),
        "training_images": plan.get("train_rows"),
        "seconds": (metrics.get("seconds") or {}).get("total"),
    }  # fmt: skip


def differences_table(compared: ComparedRuns) -> Table:
    """Each run against the first by paired tests, with p-values adjusted for all comparisons."""
    k, labels, first = len(compared.classes), compared.labels, compared.predicted[0]
    rows = [difference_row(labels, first, said, k, compared.groups) for said in compared.predicted[1:]]
    frame = pl.DataFrame(rows).with_columns(
        pl.Series("run", compared.names[1:]),
        pl.Series("p_holm", holm([row["p_value"] for row in rows])),
        pl.Series("accuracy_p_holm", holm([row["accuracy_p"] for row in rows])),
    )
    verdict = (
        pl.when(pl.col("p_holm") > LEVEL)
        .then(pl.lit("no difference shown"))
        .when(pl.col("difference") > 0)
        .then(pl.lit("better"))
        .otherwise(pl.lit("worse"))
    )
    units = {
        "run": "name of the run", "difference": f"macro-F1 minus that of {compared.names[0]}",
        "ci_low": "95 % interval, low end", "ci_high": "95 % interval, high end",
        "p_value": "two-sided", "p_holm": "adjusted for all runs by Holm",
        "accuracy_difference": f"accuracy minus that of {compared.names[0]}",
        "accuracy_p": "two-sided", "accuracy_p_holm": "adjusted for all runs by Holm",
        "mended": f"images that {compared.names[0]} gets wrong and this run right",
        "broken": f"images that {compared.names[0]} gets right and this run wrong", "verdict": "in words",
    }  # fmt: skip
    frame = frame.with_columns(verdict=verdict).select(list(units))
    shown = [f"{row['run']} is {row['verdict']}" for row in frame.to_dicts() if row["p_holm"] <= LEVEL]
    return Table(
        frame=frame, units=units, n=len(labels),
        method="Paired by image, over groups where images come in groups: delta method for macro-F1, "
        "McNemar's test for accuracy. Intervals are for each run alone; p-values are adjusted for the "
        f"{len(frame)} comparisons with the first (Holm 1979), separately for each score. One training each: "
        "other seeds may change a score by more.",
        caption=f"Against {compared.names[0]}: {', '.join(shown) or 'no difference is shown'}.",
    )  # fmt: skip


def difference_row(labels: Ints, first: Ints, said: Ints, k: int, groups: Ints | None) -> dict[str, Any]:
    """One run against the first."""
    f1 = paired_macro_f1(labels, first, said, k, groups=groups)
    exact = accuracy_test(labels, first, said, groups)
    return {
        "difference": f1.value, "ci_low": f1.low, "ci_high": f1.high, "p_value": f1.p_value,
        "accuracy_difference": exact.difference, "accuracy_p": exact.p_value,
        "mended": exact.only_second, "broken": exact.only_first,
    }  # fmt: skip


def alone_table(compared: ComparedRuns) -> Table:
    """The images that only one run gets right, with the class that most other runs predict."""
    rows = np.flatnonzero(compared.right.sum(axis=0) == 1)
    winner = compared.right[:, rows].argmax(axis=0)
    names = np.asarray(compared.classes, dtype=object)
    frame = pl.DataFrame(
        {
            "run": np.asarray(compared.names, dtype=object)[winner].tolist(),
            "index": compared.ids[rows],
            "true": names[compared.labels[rows]].tolist(),
            "predicted": names[[predicted_by_most(compared, int(row)) for row in rows]].tolist()
            if len(rows)
            else [],
        },
        schema_overrides={"run": pl.String, "true": pl.String, "predicted": pl.String},
    )
    order = {name: place for place, name in enumerate(compared.names)}
    frame = frame.sort(pl.col("run").replace_strict(order, default=0, return_dtype=pl.Int64), "index")
    counts = [f"{name} {int((winner == place).sum()):,}" for place, name in enumerate(compared.names)]
    wrong = int((~compared.right.any(axis=0)).sum())
    return Table(
        frame=frame,
        units={
            "run": "the only run that is right", "index": "row in the official order of test",
            "true": "class name", "predicted": "class name, by most of the other runs",
        },
        n=len(compared.ids), method="Test images that exactly one run classifies as labelled.",
        caption=f"Images that only one run gets right: {', '.join(counts)}. No run is right on {wrong:,}.",
    )  # fmt: skip


def predicted_by_most(compared: ComparedRuns, row: int) -> int:
    """The class that most of the runs that are wrong on an image predict."""
    wrong = compared.predicted[~compared.right[:, row], row]
    return int(np.bincount(wrong, minlength=len(compared.classes)).argmax())
