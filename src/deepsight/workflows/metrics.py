"""The headline numbers, as metrics.json holds them."""

from typing import Any

import numpy as np

from deepsight.config import StudyConfig
from deepsight.core.array_types import Bools, Ints
from deepsight.core.environment import peak_rss_mb
from deepsight.core.predictions import Predictions
from deepsight.core.statistics.clusters import cluster_bootstrap_macro_f1, effective_n
from deepsight.core.statistics.intervals import confusion_counts, f1_of_counts, wilson
from deepsight.core.statistics.macro_f1 import macro_f1_interval
from deepsight.scrub.duplicates.find import cluster_members, repeated_rows
from deepsight.workflows.context import Context, rounded
from deepsight.workflows.folds import images_of_predictions


def score_metrics(p: Predictions, study: StudyConfig, groups: Ints | None = None) -> dict[str, Any]:
    """What metrics.json says of any model's predictions: the score, its interval, and the gate.

    Args:
        groups: int64 (n,), where images come in groups: the intervals are then over groups, and how many
            independent images these are worth is said.
    """
    accuracy = float((p.labels == p.predicted).mean()) if len(p) else 0.0
    if groups is None:
        score, n = macro_f1_interval(p.labels, p.predicted, p.k), float(len(p))
    else:
        score = cluster_bootstrap_macro_f1(p.labels, p.predicted, p.k, groups, seed=study.seed)
        n = effective_n(p.labels == p.predicted, groups)
    low, high = wilson(accuracy * n, n)
    counted = {} if groups is None else {"n_groups": len(np.unique(groups)), "effective_n": round(n, 1)}
    return {
        "macro_f1": score.value,
        "macro_f1_ci95": [score.low, score.high],
        "accuracy": accuracy,
        "accuracy_ci95": [float(low), float(high)],
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
    """The score without the test images that have a known near-duplicate, beside what their classes predict.

    These images are a part of the test set, and may be easier or harder than the rest. Their training copies
    were dropped (unless --keep-leaks), so the difference is no effect of leakage. The expected score is that
    of the whole test set with each class reduced to its share that is kept.

    Args:
        p: what the model says of all test images.
        kept: bool (n,), the images without a known near-duplicate.
    """
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
