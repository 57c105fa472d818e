"""Risk-coverage: the error rate of the images that are kept when doubtful ones are rejected."""

import numpy as np
import polars as pl

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.evidence import Table
from deepsight.core.predictions import largest_probabilities
from deepsight.core.statistics.intervals import Interval, wilson
from deepsight.interpret.error_analysis.calibration import calibrating_temperature

STEPS = 40  # shares of kept images in the table of the curve
TARGETS = (0.95, 0.99)  # accuracies for which a threshold is proposed
DRAWS = 400  # resamples behind the interval of the area


def risk_coverage_area(confidence: Floats, correct: Bools) -> float:
    """The area under the risk-coverage curve (AURC; Geifman and El-Yaniv 2017), 0 to 1, smaller is better.

    The mean over k of the error rate among the k most confident images; ties keep their order.

    Args:
        confidence: (n,), of the predicted class.
        correct: bool (n,).
    """
    return mean_running_rate(~correct[surest_first(confidence)])


def surest_first(confidence: Floats) -> Ints:
    """Positions by falling confidence, int64 (n,); ties keep their order."""
    return np.argsort(-confidence, kind="stable")


def mean_running_rate(wrong: Bools) -> float:
    """The mean over k of the share of True among the first k."""
    return float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())


def area_interval(confidence: Floats, correct: Bools, *, level: float = 0.95, seed: int = 0) -> Interval:
    """The area with the percentile interval over images.

    Args:
        confidence: (n,), of the predicted class.
        correct: bool (n,).
        level: coverage of the interval.
        seed: of the resamples.
    """
    wrong = ~correct[surest_first(confidence)]
    rng, n = np.random.default_rng(seed), len(wrong)
    # Sorted rows are sorted confidences.
    drawn = [mean_running_rate(wrong[np.sort(rng.integers(n, size=n))]) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(risk_coverage_area(confidence, correct), float(low), float(high))


def threshold_for_accuracy(confidence: Floats, correct: Bools, target: float) -> float | None:
    """The smallest threshold on the confidence at which the kept images reach an accuracy; None if none does.

    Args:
        confidence: (n,), of the predicted class.
        correct: bool (n,).
        target: the accuracy, 0 to 1.
    """
    order = surest_first(confidence)
    sorted_confidence = confidence[order]
    accuracy = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    last_of_tie = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    reached = np.flatnonzero((accuracy >= target) & last_of_tie)
    return float(sorted_confidence[reached[-1]]) if len(reached) else None


def rejection_tables(
    logits: Reals, labels: Ints, validation_logits: Reals, validation_labels: Ints, *, seed: int = 0
) -> dict[str, Table]:
    """Evidence tables `risk_coverage`, the curve on the test images, and `rejection`, thresholds for it.

    Temperature and thresholds are fitted on validation, so that the results on the test images are unbiased.

    Args:
        logits: (n, k), of the test images.
        labels: int64 (n,), their labels.
        validation_logits, validation_labels: (v, k) and int64 (v,).
        seed: of the resamples.
    """
    temperature = calibrating_temperature(validation_logits, validation_labels)
    confidence = largest_probabilities(np.asarray(logits), temperature)
    correct = np.asarray(logits).argmax(axis=1) == labels
    seen = largest_probabilities(np.asarray(validation_logits), temperature)
    right = np.asarray(validation_logits).argmax(axis=1) == validation_labels
    return {
        "risk_coverage": curve_table(confidence, correct, seed),
        "rejection": threshold_table(confidence, correct, seen, right),
    }


def curve_table(confidence: Floats, correct: Bools, seed: int) -> Table:
    """The error rate among the most confident images, by the share that is kept."""
    order = surest_first(confidence)
    kept = np.unique(np.ceil(np.linspace(1 / STEPS, 1, STEPS) * len(order)).astype(np.int64))
    wrong = np.cumsum(~correct[order])[kept - 1]
    low, high = wilson(wrong, kept)
    area = area_interval(confidence, correct, seed=seed)
    frame = pl.DataFrame(
        {
            "coverage": kept / len(order), "threshold": confidence[order][kept - 1],
            "error_rate": wrong / kept, "ci_low": low, "ci_high": high, "n": kept,
        }
    )  # fmt: skip
    return Table(
        frame,
        {
            "coverage": "share of images kept, the most confident first",
            "threshold": "lowest calibrated confidence among them",
            "error_rate": "share of them that are wrong",
            "ci_low": "95 % interval (Wilson), low end",
            "ci_high": "95 % interval, high end",
            "n": "images kept",
        },
        len(order),
        f"Images by calibrated confidence; area by Geifman and El-Yaniv (2017), its interval from {DRAWS} "
        "resamples.",
        f"Area under the risk-coverage curve (AURC; 0 is best) on {len(order):,} test images: "
        f"{area.value:.4f} ({area.low:.4f} to {area.high:.4f}); rejecting at random would give "
        f"{1 - correct.mean():.4f}.",
    )


def threshold_table(confidence: Floats, correct: Bools, seen: Floats, right: Bools) -> Table:
    """The threshold for each target accuracy, with coverage and accuracy on the test images."""
    rows = [threshold_row(target, confidence, correct, seen, right) for target in TARGETS]
    numbers = ("aimed_accuracy", "threshold", "coverage", "coverage_low", "coverage_high")
    schema = dict.fromkeys((*numbers, "accuracy", "ci_low", "ci_high"), pl.Float64)
    return Table(
        pl.DataFrame(rows, schema=schema | {"n": pl.Int64}),
        {
            "aimed_accuracy": "accuracy that was aimed at on validation",
            "threshold": "calibrated confidence for `--reject-below`; empty where none reaches the target",
            "coverage": "share of test images kept",
            "coverage_low": "95 % interval (Wilson), low end",
            "coverage_high": "95 % interval, high end",
            "accuracy": "of the test images kept",
            "ci_low": "95 % interval of the accuracy (Wilson), low end",
            "ci_high": "95 % interval of the accuracy, high end",
            "n": "test images kept",
        },
        len(confidence),
        "Thresholds from validation, results on the test images.",
        " ".join(map(threshold_sentence, rows)),
    )


def threshold_row(
    target: float, confidence: Floats, correct: Bools, seen: Floats, right: Bools
) -> dict[str, float | int | None]:
    """One threshold with its coverage and accuracy on the test images."""
    chosen = threshold_for_accuracy(seen, right, target)
    kept = np.zeros(len(confidence), dtype=bool) if chosen is None else confidence >= chosen
    n = int(kept.sum())
    if chosen is None or n == 0:
        return {"aimed_accuracy": target, "threshold": chosen, "n": n}
    share, accuracy = wilson(n, len(kept)), wilson(int(correct[kept].sum()), n)
    return {
        "aimed_accuracy": target, "threshold": chosen, "coverage": n / len(kept),
        "coverage_low": float(share[0]), "coverage_high": float(share[1]),
        "accuracy": float(correct[kept].mean()), "ci_low": float(accuracy[0]),
        "ci_high": float(accuracy[1]), "n": n,
    }  # fmt: skip


def threshold_sentence(row: dict[str, float | int | None]) -> str:
    """A threshold's target and the accuracy that it reaches, as a sentence."""
    if row["threshold"] is None:
        return f"No threshold reaches an accuracy of {row['aimed_accuracy']:.0%} on validation."
    aim = f"For an accuracy of {row['aimed_accuracy']:.0%}, use `--reject-below {row['threshold']:.3f}`:"
    if not row["n"]:
        return f"{aim} it keeps no test image."
    return (
        f"{aim} it keeps {row['coverage']:.1%} of the test images, with an accuracy of {row['accuracy']:.1%} "
        f"({row['ci_low']:.1%} to {row['ci_high']:.1%})."
    )
