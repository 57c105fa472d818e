"""Whether a confidence of 0.8 is right eight times in ten, and what a temperature mends."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table

COLDEST, HOTTEST = 0.02, 50.0  # bounds of the search; a temperature at one of them is no optimum


def calibration_table(probabilities: Floats, labels: Ints, *, bins: int = 15) -> Table:
    """Confidence against accuracy in bins of equal width: evidence table `calibration`.

    Args:
        probabilities: (n, k), rows that sum to 1.
        labels: int64 (n,).
        bins: number of bins over confidences from 0 to 1; an empty one has null confidence and accuracy.
    """
    confidence, correct = confidence_and_correct(probabilities, labels)
    place, edges = bins_of(confidence, bins), np.linspace(0, 1, bins + 1)
    n = np.bincount(place, minlength=bins)
    held = np.where(n > 0, n, np.nan)
    frame = pl.DataFrame(
        {
            "bin_low": edges[:-1],
            "bin_high": edges[1:],
            "n": n,
            "confidence": np.bincount(place, confidence, bins) / held,
            "accuracy": np.bincount(place, correct, bins) / held,
        }
    ).fill_nan(None)
    gap = confidence.mean() - correct.mean()
    return Table(
        frame=frame,
        units={
            "bin_low": "confidence, left end (excluded)",
            "bin_high": "confidence, right end (included)",
            "n": "images",
            "confidence": "mean probability of the predicted class",
            "accuracy": "share of images classified as labelled",
        },
        n=len(labels),
        method=f"Images in {bins} bins of equal width by the probability of the predicted class.",
        caption=f"The mean confidence is {100 * abs(gap):.1f} points {'above' if gap > 0 else 'below'} "
        "the accuracy.",
    )


def calibration_summary_table(
    logits: Reals,
    labels: Ints,
    validation_logits: Reals,
    validation_labels: Ints,
    *,
    bins: int = 15,
    draws: int = 1000,
    level: float = 0.95,
    seed: int,
) -> Table:
    """Calibration error before and after temperature scaling: evidence table `calibration_summary`.

    The temperature is fitted on validation, and everything else is measured on the images of `logits`.

    Args:
        logits, validation_logits: (n, k) and (m, k), unnormalised log-probabilities.
        labels, validation_labels: int64 (n,) and (m,).
    """
    temperature = fit_temperature(validation_logits, validation_labels)
    rows: list[dict[str, Any]] = []
    for stage, divisor in (("as given", 1.0), ("after temperature", temperature)):
        scaled = np.asarray(logits, dtype=np.float64) / divisor
        gaps = confidence_and_correct(softmax(scaled, axis=1), labels)
        low, high = error_interval(*gaps, bins=bins, draws=draws, level=level, seed=seed)
        debiased = debiased_error(*gaps, bins=bins)
        rows += [
            {"stage": stage, "quantity": "ece", "value": calibration_error(*gaps, bins=bins)},
            {"stage": stage, "quantity": "ece_debiased", "value": debiased, "ci_low": low, "ci_high": high},
            {"stage": stage, "quantity": "nll", "value": negative_log_likelihood(scaled, labels)},
            {"stage": stage, "quantity": "temperature", "value": divisor},
        ]
    schema = {"stage": pl.String, "quantity": pl.String, "value": pl.Float64}
    frame = pl.DataFrame(rows, schema={**schema, "ci_low": pl.Float64, "ci_high": pl.Float64})
    return Table(
        frame=frame,
        units={
            "stage": "as given, or divided by the temperature",
            "quantity": "ece and ece_debiased: probability; nll: nats an image; temperature: factor",
            "value": "in the unit of the quantity",
            "ci_low": f"low end at {level:.0%}, over images",
            "ci_high": f"high end at {level:.0%}, over images",
        },
        n=len(labels),
        method=f"Expected calibration error in {bins} bins; basic bootstrap interval; debiased by the "
        "folded normal mean of each bin (after Kumar et al. 2019); temperature by likelihood on validation "
        "(Guo et al. 2017).",
        caption=f"A temperature of {temperature:.2f}, fitted on {len(validation_labels):,} images of "
        f"validation, takes the calibration error from {rows[0]['value']:.1%} to {rows[4]['value']:.1%}.",
    )


def confidence_and_correct(probabilities: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """The probability of the predicted class and whether it is the label (1.0 or 0.0), both (n,)."""
    correct = probabilities.argmax(axis=1) == labels
    return np.asarray(probabilities.max(axis=1), dtype=np.float64), correct.astype(np.float64)


def bins_of(confidence: Floats, bins: int) -> NDArray[np.int64]:
    """The bin of each confidence; bins are open on the left and closed on the right."""
    place = np.ceil(confidence * bins).astype(np.int64) - 1
    return np.asarray(np.clip(place, 0, bins - 1), dtype=np.int64)


def calibration_error(confidence: Floats, correct: Floats, *, bins: int) -> float:
    """Expected calibration error: sum over bins of (images / n) |accuracy - confidence|, in [0, 1]."""
    return binned_error(bins_of(confidence, bins), confidence - correct, bins)


def binned_error(place: NDArray[np.int64], gap: Floats, bins: int) -> float:
    """The calibration error from the bin and the gap (confidence - correct) of each image."""
    return float(np.abs(np.bincount(place, gap, bins)).sum() / len(gap))


def error_interval(
    confidence: Floats, correct: Floats, *, bins: int, draws: int, level: float, seed: int
) -> tuple[float, float]:
    """Both ends of the basic bootstrap interval of the calibration error, over images.

    The plain estimate is biased upwards, and a resample of it twice; the basic interval is mirrored at the
    estimate, so it takes the bias off once and surrounds the debiased error.
    """
    place, gap, n = bins_of(confidence, bins), confidence - correct, len(confidence)
    rng = np.random.default_rng(seed)
    sample = np.empty(draws)
    for draw in range(draws):
        rows = rng.integers(n, size=n)
        sample[draw] = binned_error(place[rows], gap[rows], bins)
    mirrored = 2 * binned_error(place, gap, bins) - sample
    low, high = np.quantile(mirrored, [(1 - level) / 2, (1 + level) / 2])
    return max(0.0, float(low)), max(0.0, float(high))


def debiased_error(confidence: Floats, correct: Floats, *, bins: int) -> float:
    """The calibration error less what chance alone adds to it, at least 0.

    In a bin of m images the accuracy is about normal with σ² = a (1 - a) / m, so the absolute gap to the
    confidence overshoots by the folded normal mean minus |gap|.
    """
    place, n = bins_of(confidence, bins), len(confidence)
    m = np.bincount(place, minlength=bins)
    held = m[m > 0]
    accuracy = np.bincount(place, correct, bins)[m > 0] / held
    gap = accuracy - np.bincount(place, confidence, bins)[m > 0] / held
    overshoot = folded_normal_mean(gap, np.sqrt(accuracy * (1 - accuracy) / held)) - np.abs(gap)
    return max(0.0, float(held @ (np.abs(gap) - overshoot) / n))


def folded_normal_mean(mean: Floats, deviation: Floats) -> Floats:
    """The mean of |X| for X normal with this mean and deviation."""
    z = np.divide(mean, deviation, out=np.full_like(mean, np.inf), where=deviation > 0)
    spread = deviation * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2)
    return np.where(deviation > 0, spread + mean * (1 - 2 * norm.cdf(-z)), np.abs(mean))


def fit_temperature(logits: Reals, labels: Ints) -> float:
    """The T > 0 that minimises the mean negative log-likelihood of softmax(logits / T), on held-out images.

    The likelihood has one optimum in 1 / T (Guo et al. 2017). Where every image is right, or where logits
    say nothing, there is none, and the end of the range 0.02 to 50 is returned.

    Raises:
        DeepSightError: no image to fit on.
    """
    if len(labels) == 0:
        raise DeepSightError("Expected validation images to fit a temperature on, received none.")
    exact = np.asarray(logits, dtype=np.float64)
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(exact / np.exp(log_t), labels),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def negative_log_likelihood(logits: Reals, labels: Ints) -> float:
    """Mean of -log p(label), in nats an image."""
    exact = np.asarray(logits, dtype=np.float64)
    return float((logsumexp(exact, axis=1) - exact[np.arange(len(labels)), labels]).mean())
