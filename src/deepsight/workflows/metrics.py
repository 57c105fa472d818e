"""The headline numbers, as metrics.json holds them."""

from typing import Any

import numpy as np

from deepsight.config import StudyConfig
from deepsight.core.array_types import Bools, Ints
from deepsight.core.environment import peak_rss_mb
from deepsight.core.predictions import Predictions
from deepsight.core.statistics.clusters import accuracy_over, effective_n, macro_f1_over
from deepsight.core.statistics.intervals import confusion_counts, f1_of_counts
from deepsight.core.statistics.macro_f1 import macro_f1_interval
from deepsight.scrub.duplicates.repeated_rows import cluster_members, repeated_rows
from deepsight.workflows.folds import images_of_predictions
from deepsight.workflows.study_context import Context, rounded


def score_metrics(p: Predictions, study: StudyConfig, groups: Ints | None = None) -> dict[str, Any]:
    """Macro-F1 and accuracy of any model's predictions with their 95 % intervals, and the gate.

    Args:
        p: the predictions.
        study: names the gate and the seed.
        groups: int64 (n,), the group of each image; the intervals are then over groups, and the effective
            number of independent images is added.
    """
    right = p.labels == p.predicted
    score = macro_f1_over(p.labels, p.predicted, p.k, groups, seed=study.seed)
    accuracy = accuracy_over(right, groups)
    counted = {} if groups is None else {
        "n_groups": len(np.unique(groups)), "effective_n": round(effective_n(right, groups), 1)
    }  # fmt: skip
    return {
        "macro_f1": score.value,
        "macro_f1_ci95": [score.low, score.high],
        "accuracy": accuracy.value,
        "accuracy_ci95": [accuracy.low, accuracy.high],
        "mva": study.mva,
        "mva_passed": score.value >= study.mva,
        "n_test": len(p),
        **counted,
    }


def study_metrics(context: Context) -> dict[str, Any]:
    """The headline numbers of a run."""
    run, study = context.run, context.study
    p = run.predictions("test")
    model = run.read_json("model.json")
    duplicates, folds = run.evidence()["duplicates"], context.plan.folds
    repeated = repeated_rows(duplicates, of="test", within=("train", "val"))
    if folds > 1:
        repeated = cluster_members(duplicates)["index"].to_numpy()
    return {
        **score_metrics(p, study, images_of_predictions(context).groups),
        **({"folds": folds} if folds > 1 else {}),
        **metrics_without(p, ~np.isin(p.ids, repeated)),
        "backbone": model["architecture"],
        "weights_source": model["weights_source"],
        "data_source": run.read_json("data.json").get("source"),
        "resolution": context.plan.recipe.resolution,
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": rounded(context.seconds),
    }


def metrics_without(p: Predictions, kept: Bools) -> dict[str, Any]:
    """The score on the test images without a known near-duplicate, and the score expected of them.

    Images with near-duplicates may be easier or harder than the rest. Their training copies were dropped
    (unless --keep-leaks), so the difference does not measure leakage. The expected score is that of the whole
    test set with each class reduced to the share that is kept.

    Args:
        p: the predictions for all test images.
        kept: bool (n,), the images without a known near-duplicate.

    Returns:
        The keys of metrics.json; the scores are None if no image is kept.
    """
    if not kept.any():
        absent = [f"macro_f1_without_leaks{end}" for end in ("", "_ci95", "_expected")]
        return dict.fromkeys(absent) | {"n_leaked": len(kept)}
    score = macro_f1_interval(p.labels[kept], p.predicted[kept], p.k)
    counts = confusion_counts(p.labels, p.predicted, p.k)
    left = np.bincount(p.labels[kept], minlength=p.k)
    scaled = counts * (left / np.maximum(counts.sum(axis=1), 1))[:, None]
    expected = f1_of_counts(scaled)[left > 0]
    return {
        "macro_f1_without_leaks": score.value,
        "macro_f1_without_leaks_ci95": [score.low, score.high],
        "macro_f1_without_leaks_expected": float(expected.mean()) if len(expected) else None,
        "n_leaked": int((~kept).sum()),
    }
