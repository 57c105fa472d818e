"""The headline numbers, as metrics.json holds them."""

from typing import Any

import numpy as np

from deepsight.config import StudyConfig
from deepsight.core.environment import peak_rss_mb
from deepsight.core.macro_f1 import macro_f1_interval
from deepsight.core.predictions import Predictions
from deepsight.core.statistics import wilson
from deepsight.scrub.duplicates.find import repeated_rows
from deepsight.workflows.context import Context, rounded


def score_metrics(p: Predictions, study: StudyConfig) -> dict[str, Any]:
    """What metrics.json says of any model's predictions: the score, its interval, and the gate."""
    score = macro_f1_interval(p.labels, p.predicted, p.k)
    right = int((p.labels == p.predicted).sum())
    low, high = wilson(right, len(p))
    return {
        "macro_f1": score.value,
        "macro_f1_ci95": [score.low, score.high],
        "accuracy": right / len(p),
        "accuracy_ci95": [float(low), float(high)],
        "mva": study.mva,
        "mva_passed": score.value >= study.mva,
        "n_test": len(p),
    }


def study_metrics(context: Context) -> dict[str, Any]:
    """The headline numbers of a run."""
    run, study = context.run, context.study
    p = run.predictions("test")
    model = run.read_json("model.json")
    clean = ~np.isin(p.ids, repeated_rows(run.evidence()["duplicates"], of="test", within=("train", "val")))
    without = macro_f1_interval(p.labels[clean], p.predicted[clean], p.k)
    return {
        **score_metrics(p, study),
        "macro_f1_without_leaks": without.value,
        "macro_f1_without_leaks_ci95": [without.low, without.high],
        "n_leaked": int((~clean).sum()),
        "backbone": model["architecture"],
        "weights_source": model["weights_source"],
        "data_source": run.read_json("data.json").get("source"),
        "resolution": context.plan.recipe.resolution,
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": rounded(context.seconds),
    }
