"""A run compared with one on an earlier version of its data: what cleaning the data changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.core.file_columns import with_files
from deepsight.core.progress import Log, silent
from deepsight.core.run import METRICS, REPORT, STUDY, Run
from deepsight.core.statistics.intervals import macro_f1
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from deepsight.report.formatting import points_text
from deepsight.report.html import render
from deepsight.treat.compare import changed_table
from deepsight.workflows.compare.same_images import SharedTest, shared_test
from deepsight.workflows.compare.two_runs import accuracy_test

NOW, BEFORE = "of this run", "of the earlier run"
UNITS = {
    "labels": "which labels the score is against",
    "score": "name",
    "before": "score of the earlier run, 0 to 1",
    "after": "score of this run, 0 to 1",
    "difference": "this run minus the earlier one",
    "ci_low": "95 % interval of the difference, low end",
    "ci_high": "95 % interval of the difference, high end",
    "p_value": "two-sided",
    "minimum_detectable": "true difference that the test would detect with a power of 0.8",
}


def compare_with_earlier(run: str | Path, earlier: str | Path, *, log: Log = silent) -> dict[str, Any]:
    """Test a run against an earlier one on their common test images, and store the result in the run.

    If labels of test images changed, the difference is tested under the new and under the old labels: a
    changed label moves the scores of both runs, which does not make the later model better.

    Args:
        run: the later run; its metrics.json, evidence and report receive the result.
        earlier: the run to compare with.
        log: receives a sentence with the result.

    Returns:
        The value of `compared_with` in metrics.json.

    Raises:
        DeepSightError: the classes differ, or no test image is shared.
    """
    later, before = Run.open(Path(run)), Run.open(Path(earlier))
    shared = shared_test(before, later, log=log)
    table = cleaning_table(shared, str(earlier), unlike_trainings(before, later))
    changed = changed_table(
        shared.labels_after,
        shared.before,
        shared.after,
        shared.ids,
        shared.classes,
        (str(earlier), "this run"),
    )
    found = with_files(Evidence({"compared_with": table, "compared_changed": changed}), later.file_names())
    later.save_evidence(found)
    noted = record_of(table, shared, str(earlier))
    later.save_json(METRICS, {**later.metrics(), "compared_with": noted})
    if later.has(REPORT):
        render(later)
    later.commit("compare", also=[REPORT] if later.has(REPORT) else ())
    log(table.caption)
    return noted


def unlike_trainings(before: Run, later: Run) -> str:
    """What of the trainings differs by the plans of both runs, in a sentence; "" if nothing does."""
    plans = [trained_as(run.study().get("plan") or {}) for run in (before, later)]
    differing = [name for name in plans[0] if name in plans[1] and plans[0][name] != plans[1][name]]
    if not differing:
        return ""
    said = ", ".join(f"{name} {plans[0][name]} and {plans[1][name]}" for name in differing)
    return f" The trainings differ too ({said}); --config {before.file(STUDY)} would repeat the earlier one."


def trained_as(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a plan that change what the model learns."""
    return {
        "backbone": plan.get("backbone"), "training images": plan.get("train_rows"), **plan.get("recipe", {})
    }  # fmt: skip


def cleaning_table(shared: SharedTest, earlier: str, unlike: str) -> Table:
    """Evidence table `compared_with`: both scores and their paired difference, under each set of labels.

    Args:
        shared: the predictions of both runs for the same images.
        earlier: name of the earlier run.
        unlike: from `unlike_trainings`.
    """
    rows = label_rows(shared, NOW)
    if shared.relabelled:
        rows += label_rows(shared, BEFORE)
    return Table(
        frame=pl.DataFrame(rows).select(list(UNITS)),
        units=UNITS,
        n=len(shared.ids),
        method="The same test images in both runs; delta method on paired images within classes, and "
        "McNemar's test, over groups where images come in groups. One training each: the interval is over "
        "images, not over trainings.",
        caption=change_caption(rows, shared, earlier) + unlike,
    )


def label_rows(shared: SharedTest, labels: str) -> list[dict[str, Any]]:
    """Macro-F1 and accuracy of both runs against one set of labels."""
    given = shared.labels_after if labels == NOW else shared.labels_before
    k = len(shared.classes)
    f1 = paired_macro_f1(given, shared.before, shared.after, k, groups=shared.groups)
    exact = accuracy_test(given, shared.before, shared.after, shared.groups)
    scores = [macro_f1(given, said, k) for said in (shared.before, shared.after)]
    rights = [float((given == said).mean()) for said in (shared.before, shared.after)]
    return [
        {"labels": labels, "score": "macro-F1", "before": scores[0], "after": scores[1],
         "difference": f1.value, "ci_low": f1.low, "ci_high": f1.high, "p_value": f1.p_value,
         "minimum_detectable": f1.minimum_detectable},
        {"labels": labels, "score": "accuracy", "before": rights[0], "after": rights[1],
         "difference": exact.difference, "ci_low": exact.low, "ci_high": exact.high,
         "p_value": exact.p_value, "minimum_detectable": exact.minimum_detectable},
    ]  # fmt: skip


def change_caption(rows: list[dict[str, Any]], shared: SharedTest, earlier: str) -> str:
    """The change of macro-F1 and, if test labels changed, the scores of both models on old and new labels."""
    said = (
        f"{change_sentence(rows[0])} from {earlier} on the same {len(shared.ids):,} test images "
        f"({interval_in_points(rows[0])}, paired)."
    )
    if shared.relabelled:
        then, now = rows[2], rows[0]
        said += (
            f" {shared.relabelled:,} test labels changed, so old and new test scores cannot be compared "
            f"directly: the earlier model has {then['before']:.3f} on the old labels and "
            f"{now['before']:.3f} on the new ones, this model {then['after']:.3f} and {now['after']:.3f}; on "
            f"the old labels the difference is {points_text(then['difference'])} points "
            f"({interval_in_points(then)})."
        )
    for count, where in ((shared.left_out, "the earlier test set only"), (shared.added, "this run's only")):
        said += f" {count:,} images are in {where}." if count else ""
    return said


def change_sentence(row: dict[str, Any]) -> str:
    """Such as "Macro-F1 rose by 1.2 points"; if the interval holds 0, that no change is shown."""
    points = points_text(row["difference"]).lstrip("+\u2212")
    if row["ci_low"] > 0:
        return f"Macro-F1 rose by {points} points"
    if row["ci_high"] < 0:
        return f"Macro-F1 fell by {points} points"
    return f"No change of macro-F1 is shown ({points_text(row['difference'])} points)"


def interval_in_points(row: dict[str, Any]) -> str:
    """The interval of a difference, in points."""
    return f"{points_text(row['ci_low'])} to {points_text(row['ci_high'])}"


def record_of(table: Table, shared: SharedTest, earlier: str) -> dict[str, Any]:
    """The comparison as metrics.json stores it."""
    rows = table.frame.filter(score="macro-F1").to_dicts()
    scores = {
        "labels_of_this_run" if row["labels"] == NOW else "labels_of_the_earlier_run": {
            "macro_f1_before": row["before"], "macro_f1_after": row["after"],
            "difference": row["difference"], "ci95": [row["ci_low"], row["ci_high"]],
            "p_value": row["p_value"],
        }
        for row in rows
    }  # fmt: skip
    counts = {
        "n": table.n, "relabelled": shared.relabelled, "left_out": shared.left_out, "added": shared.added
    }  # fmt: skip
    return {"run": earlier, **counts, **scores}
