"""Calibration: whether answers of confidence 0.8 are right eight times in ten, and temperature scaling."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import Interval
from deepsight.core.statistics.significance import p_phrase

COLDEST, HOTTEST = 0.02, 50.0  # bounds of the search; a temperature at a bound is no optimum


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
        bins: of equal width, for the calibration errors.
        draws: of labels from the stated confidence, for the test of calibration.
        level: coverage of the intervals; a p-value up to 1 - level counts as miscalibration.
        seed: of the draws.

    Raises:
        DeepSightError: no validation image.
    """
    temperature = calibrating_temperature(validation_logits, validation_labels)
    rows = [
        {"stage": stage, **row}
        for stage, divisor in (("as given", 1.0), ("after temperature", temperature))
        for row in errors_at(divisor, logits, labels, bins=bins, draws=draws, level=level, seed=seed)
    ]
    numbers = dict.fromkeys(("value", "ci_low", "ci_high", "if_calibrated", "p_value"), pl.Float64)
    frame = pl.DataFrame(rows, schema={"stage": pl.String, "quantity": pl.String, **numbers})
    return Table(
        frame=frame,
        units={
            "stage": "as given, or divided by the temperature",
            "quantity": "ece and rms_error: probability; nll: nats per image; temperature: factor",
            "value": "in the unit of the quantity",
            "ci_low": f"low end at {level:.0%}, over images",
            "ci_high": f"high end at {level:.0%}, over images",
            "if_calibrated": "mean value that a perfectly calibrated model of this confidence would show",
            "p_value": "of a value at least this large from a perfectly calibrated model",
        },
        n=len(labels),
        method=f"{bins} bins of equal width. ece: expected calibration error, above 0 by chance alone; its p "
        f"from {draws} draws of labels from the stated confidence (consistency resampling, Vaicenavicius et "
        "al. 2019). rms_error: root of the unbiased squared error (Kumar et al. 2019); where the truth is "
        "0 its interval always holds it. Temperature by likelihood on validation (Guo et al. 2017).",
        caption=summary_caption(rows, temperature, len(validation_labels), 1 - level),
    )


def errors_at(
    temperature: float, logits: Reals, labels: Ints, *, bins: int, draws: int, level: float, seed: int
) -> list[dict[str, Any]]:
    """The rows of `calibration_summary` for logits divided by a temperature."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    stated = confidence_and_correct(softmax(scaled, axis=1), labels)
    error = rms_error(*stated, bins=bins, level=level)
    test = consistency_test(*stated, bins=bins, draws=draws, seed=seed)
    return [
        {"quantity": "ece", "value": test.observed, "p_value": test.p_value, "if_calibrated": test.expected},
        {"quantity": "rms_error", "value": error.value, "ci_low": error.low, "ci_high": error.high},
        {"quantity": "nll", "value": negative_log_likelihood(scaled, labels)},
        {"quantity": "temperature", "value": temperature},
    ]


def summary_caption(rows: Sequence[dict[str, Any]], temperature: float, n: int, alpha: float) -> str:
    """The calibration error with its p-value, before and after temperature scaling.

    The second is left out where the temperature is 1, as no other fits.
    """
    before, after = (row for row in rows if row["quantity"] == "ece")
    said = [
        f"{100 * row['value']:.1f} points ({100 * row['if_calibrated']:.1f} if it were calibrated; "
        f"{'' if row['p_value'] <= alpha else 'not shown to be '}more than chance explains, "
        f"{p_phrase(row['p_value'])})"
        for row in (before, after)
    ]
    if temperature == 1:
        return f"The expected calibration error is {said[0]}. No temperature fits {n:,} validation images."
    return (
        f"The expected calibration error is {said[0]}. After dividing the logits by {temperature:.2f}, "
        f"fitted on {n:,} validation images, it is {said[1]}."
    )


class ConsistencyTest(NamedTuple):
    """The calibration error, its mean under perfect calibration, and p of at least so large an error."""

    observed: float
    expected: float
    p_value: float


def consistency_test(
    confidence: Floats, correct: Floats, *, bins: int, draws: int, seed: int
) -> ConsistencyTest:
    """Test whether a calibrated model would show so large a calibration error.

    Whether answers are right is drawn from the stated confidence (consistency resampling, Vaicenavicius et
    al. 2019). One draw is added to the count, so that p is never 0.
    """
    place, n = bins_of(confidence, bins), len(confidence)
    rng = np.random.default_rng(seed)
    order = np.argsort(place, kind="stable")
    _, starts = np.unique(place[order], return_index=True)
    stated = np.add.reduceat(confidence[order], starts)
    observed = calibration_error(confidence, correct, bins=bins)
    errors = np.empty(draws)
    for draw in range(draws):
        right = np.add.reduceat(rng.random(n) < confidence[order], starts, dtype=np.float64)
        errors[draw] = np.abs(stated - right).sum() / n
    beyond = int((errors >= observed - 1e-12).sum())
    return ConsistencyTest(observed, float(errors.mean()), (beyond + 1) / (draws + 1))


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
    gap = confidence - correct
    return float(np.abs(np.bincount(bins_of(confidence, bins), gap, bins)).sum() / len(gap))


def rms_error(confidence: Floats, correct: Floats, *, bins: int, level: float) -> Interval:
    """Root of the mean squared calibration error over images, with its interval, in [0, 1].

    The squared error Σ_b w_b (g_b² - s_b²) is unbiased: g_b is the mean gap in a bin with the share w_b of
    the images, and s_b² the variance of that mean, which chance adds to g_b² (Kumar et al. 2019). Its
    variance is Σ_b w_b² (4 g_b² s_b² + 2 s_b⁴). The root of a negative estimate or end is 0. Bins with one
    image count 0.
    """
    squared, variance = squared_error(confidence, correct, bins=bins)
    reach = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt(variance))
    ends = (np.sqrt(max(0.0, end)) for end in (squared, squared - reach, squared + reach))
    return Interval(*(float(end) for end in ends))


def squared_error(confidence: Floats, correct: Floats, *, bins: int) -> tuple[float, float]:
    """The unbiased squared calibration error, which may be below 0, and its variance."""
    place, gap = bins_of(confidence, bins), confidence - correct
    n = np.bincount(place, minlength=bins)
    kept = n >= 2
    m = n[kept]
    mean = np.bincount(place, gap, bins)[kept] / m
    spread = np.maximum(np.bincount(place, gap**2, bins)[kept] / m - mean**2, 0) / (m - 1)
    # A bin with only correct answers has no spread, yet its error is unknown: use the stated confidence.
    stated = np.bincount(place, confidence * (1 - confidence), bins)[kept] / m**2
    widest, weight = np.maximum(spread, stated), m / len(confidence)
    found = np.maximum(mean**2 - spread, 0)
    variance = weight**2 @ (4 * found * widest + 2 * widest**2)
    return float(weight @ (mean**2 - spread)), float(variance)


def calibrating_temperature(logits: Reals, labels: Ints) -> float:
    """The temperature to calibrate the confidence in new images with, fitted on held-out images.

    It is 1 where every held-out image is right: their likelihood only asks for more confidence, without end.

    Raises:
        DeepSightError: no image to fit on.
    """
    return 1.0 if every_one_right(logits, labels) else fit_temperature(logits, labels)


def every_one_right(logits: Reals, labels: Ints) -> bool:
    """Whether there are images and the largest logit of each names its label."""
    return len(labels) > 0 and bool((np.asarray(logits).argmax(axis=1) == labels).all())


def fit_temperature(logits: Reals, labels: Ints) -> float:
    """The T > 0 that minimises the mean negative log-likelihood of softmax(logits / T), on held-out images.

    The likelihood has one optimum in 1 / T (Guo et al. 2017). Where every image is right, or the logits are
    uninformative, there is none, and an end of the range 0.02 to 50 is returned.

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
    """Mean of -log p(label), in nats per image."""
    exact = np.asarray(logits, dtype=np.float64)
    return float((logsumexp(exact, axis=1) - exact[np.arange(len(labels)), labels]).mean())
