"""Low image quality: how much dark, glaring, flat, blurred or noisy images raise the risk of an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from scipy.stats import chi2

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.significance import p_phrase

QUALITY_FAULTS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "dark": ("brightness", -1),
        "glaring": ("brightness", +1),
        "flat": ("contrast", -1),
        "blurred": ("sharpness", -1),
        "noisy": ("sharpness", +1),
    }
)
USUAL, WORST = 1.0, 5.0  # robust deviations from the class at which a fault begins, and is capped
SHRINKAGE = 10.0  # precision of a slope's prior: one deviation changes the odds by about a third
FOLDS = 5  # of the images, each held out once to see how well the slopes generalise
ALARM = 0.01  # probability of a false alarm where quality has no effect


@dataclass(frozen=True)
class QualityRisk:
    """The log-odds of an error: one level for each class, and a slope for each fault of the image.

    Attributes:
        centre, spread: (k, p), median and robust deviation of each property in each class.
        level: (k,), for an image of the class without a fault.
        slope: (f,), at least 0, per robust deviation; all 0 where quality explains nothing.
        p_value: of all slopes together, against the class levels alone.
        n: number of images in the fit.
    """

    centre: Floats
    spread: Floats
    level: Floats
    slope: Floats
    p_value: float
    n: int


def properties_used() -> list[str]:
    """The properties behind the faults, each once."""
    return list(dict.fromkeys(name for name, _ in QUALITY_FAULTS.values()))


def fit_quality_risk(properties: pl.DataFrame, labels: Ints, wrong: Bools, k: int) -> QualityRisk:
    """Fit how the risk of an error grows with each fault.

    Slopes cannot be negative, since damage does not help. They are 0 unless together they explain the errors
    better than the classes alone, at a level of 1 % (likelihood ratio test; the chi-squared distribution is
    conservative for slopes that cannot be negative, Self and Liang 1987), and shrink by `held_out_factor`.

    Args:
        properties: from `image_properties`, one row per image.
        labels: int64 (n,).
        wrong: bool (n,), whether the model erred.
        k: number of classes.
    """
    values = properties.select(properties_used()).to_numpy()
    centre, spread = median_and_deviation(values, labels, k)
    faults = faults_of(values, labels, centre, spread)
    base, alone = maximise_likelihood(np.zeros((len(labels), 0)), labels, wrong, k)
    found, both = maximise_likelihood(faults, labels, wrong, k)
    p_value = float(chi2.sf(2 * max(both - alone, 0.0), len(QUALITY_FAULTS)))
    if p_value > ALARM:
        return QualityRisk(centre, spread, base, np.zeros(len(QUALITY_FAULTS)), p_value, len(labels))
    slope = found[k:] * held_out_factor(faults, labels, wrong, k)
    return QualityRisk(centre, spread, found[:k], slope, p_value, len(labels))


def held_out_factor(faults: Floats, labels: Ints, wrong: Bools, k: int) -> float:
    """The factor in [0, 1] by which slopes must shrink to hold on images that they were not fitted to.

    The likelihood of each fifth of the images, under the levels and slopes of the others, is maximised over
    one factor for all slopes (van Houwelingen and le Cessie 1990). Without it, the share of errors that
    moderate faults explain would be overestimated.
    """
    fold = np.arange(len(labels)) % FOLDS
    level, added = np.empty(len(labels)), np.empty(len(labels))
    for held in range(FOLDS):
        seen, left = fold != held, fold == held
        x, _ = maximise_likelihood(faults[seen], labels[seen], wrong[seen], k)
        level[left], added[left] = x[:k][labels[left]], faults[left] @ x[k:]

    def loss(factor: float) -> float:
        at = level + factor * added
        return float(np.logaddexp(0, at).sum() - at[wrong].sum())

    return float(minimize_scalar(loss, bounds=(0, 1), method="bounded").x)


def median_and_deviation(values: Floats, labels: Ints, k: int) -> tuple[Floats, Floats]:
    """Median and robust deviation of each property in each class (k, p); of all for an absent class."""
    groups = [values[labels == c] if (labels == c).any() else values for c in range(k)]
    centre = np.stack([np.median(group, axis=0) for group in groups])
    spread = np.stack(
        [1.4826 * np.median(np.abs(group - m), axis=0) for group, m in zip(groups, centre, strict=True)]
    )
    return centre, np.maximum(spread, 1e-6)


def faults_of(values: Floats, labels: Ints, centre: Floats, spread: Floats) -> Floats:
    """How far each image lies beyond the usual range of its class, (n, f), 0 to 4 robust deviations."""
    away = (values - centre[labels]) / spread[labels]
    place = {name: i for i, name in enumerate(properties_used())}
    columns = [sign * away[:, place[name]] for name, sign in QUALITY_FAULTS.values()]
    return np.clip(np.stack(columns, axis=1), USUAL, WORST) - USUAL


def maximise_likelihood(faults: Floats, labels: Ints, wrong: Bools, k: int) -> tuple[Floats, float]:
    """Levels and slopes (k + f,) that maximise the penalised likelihood, and their log-likelihood."""
    outcome = wrong.astype(np.float64)

    def loss(x: Floats) -> tuple[float, Floats]:
        at = x[:k][labels] + faults @ x[k:]
        miss = expit(at) - outcome
        gradient = np.concatenate([np.bincount(labels, miss, k) + 1e-3 * x[:k], faults.T @ miss])
        gradient[k:] += SHRINKAGE * x[k:]
        penalty = 0.5 * (1e-3 * (x[:k] ** 2).sum() + SHRINKAGE * (x[k:] ** 2).sum())
        return float(np.logaddexp(0, at).sum() - outcome @ at) + penalty, gradient

    f = faults.shape[1]
    start = np.concatenate([np.full(k, -2.0), np.zeros(f)])
    bounds = [(None, None)] * k + [(0, None)] * f
    x = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    at = x[:k][labels] + faults @ x[k:]
    return x, float(outcome @ at - np.logaddexp(0, at).sum())


def quality_support(risk: QualityRisk, properties: pl.DataFrame, labels: Ints) -> Floats:
    """The share of each image's risk of an error that is due to its faults, (n,), in [0, 1).

    The excess fraction, 1 - risk without the faults / risk with them: the probability that the error would
    not have occurred with an image of usual quality, provided that damage never helps (Tian and Pearl 2000).
    """
    values = properties.select(properties_used()).to_numpy()
    added = faults_of(values, labels, risk.centre, risk.spread) @ risk.slope
    level = risk.level[labels]
    return np.asarray(1 - expit(level) / expit(level + added), dtype=np.float64)


def image_quality_table(
    risk: QualityRisk, properties: pl.DataFrame, labels: Ints, predicted: Ints, classes: Sequence[str]
) -> Table:
    """The effect of each fault on the risk: evidence table `image_quality`, one row per fault.

    Args:
        risk: from `fit_quality_risk`.
        properties, labels, predicted: of the examined images.
        classes: the class names.
    """
    values = properties.select(properties_used()).to_numpy()
    faults = faults_of(values, labels, risk.centre, risk.spread) > 0
    wrong = labels != predicted
    rates = [
        float(wrong[faults[:, i]].mean()) if faults[:, i].any() else None for i in range(len(QUALITY_FAULTS))
    ]
    explained = int((quality_support(risk, properties, labels)[wrong] >= 0.5).sum())
    frame = pl.DataFrame(
        {
            "fault": list(QUALITY_FAULTS),
            "property": [name for name, _ in QUALITY_FAULTS.values()],
            "n": faults.sum(axis=0),
            "error_rate": rates,
            "baseline": [float(wrong.mean())] * len(QUALITY_FAULTS),
            "odds_ratio": np.exp(risk.slope),
            "p_value": [risk.p_value] * len(QUALITY_FAULTS),
        },
        schema_overrides={"error_rate": pl.Float64},
    )
    return Table(
        frame=frame,
        units={
            "fault": "what is wrong with the image",
            "property": "measured property behind it",
            "n": "images beyond one robust deviation from their class",
            "error_rate": "share of these that are misclassified",
            "baseline": "share of all images that are misclassified",
            "odds_ratio": "factor on the odds of an error for each robust deviation",
            "p_value": "of all faults together, likelihood ratio against the classes alone",
        },
        n=len(labels),
        method=f"Logistic regression of errors on class and faults, slopes at least 0, fitted on {risk.n:,} "
        f"images; slopes are 0 unless p is at most {ALARM:g}.",
        caption=f"Low image quality at least doubled the risk of {explained:,} of {int(wrong.sum()):,} "
        f"errors (whether it matters beyond the {len(classes)} classes: {p_phrase(risk.p_value)}).",
    )
