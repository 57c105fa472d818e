"""Check that probabilities and logits are what their names say, apart from rounding."""

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats
from deepsight.core.errors import UsageError
from deepsight.core.progress import Log
from deepsight.obtain.predictions.given import GivenPredictions

SUM_TOLERANCE = 1e-2  # how far from 1 rounding and clipping may carry the sum of a row; it is then made 1
EXACT = 1e-3  # how far float16 may carry the sum of a row from 1; a larger deviation is logged
END_TOLERANCE = 1e-4  # how far rounding may carry a probability beyond 0 or 1
SMALLEST = 1e-12  # replaces a probability of 0, which has no finite logit
LARGEST = 1e6  # logits up to this size are kept unchanged
LOWEST = -1e4  # larger ones are kept within this distance of the largest in their row: exp of it is 0


def logits_of_given(given: GivenPredictions, k: int, log: Log) -> Floats:
    """Unnormalised log-probabilities, float64 (n, k).

    Raises:
        UsageError: the values contradict their name.
    """
    if given.predicted is not None:
        return logits_of_choice(given, k, log)
    values = given.numbers()
    if given.kind == "unnamed":
        require_finite("the predictions", np.where(np.isinf(values), 0.0, values))  # a logit may be -inf
    if given.kind == "unnamed" and len(values) and are_percentages(values):
        raise UsageError(
            "Expected probabilities or logits, received rows from 0 to 100 that sum to 100: these are "
            "percentages. Divide them by 100."
        )
    if given.kind == "unnamed":
        require_distributions(values)
    if given.kind == "logits" or (given.kind == "unnamed" and not looks_like_probabilities(values)):
        return checked_logits(values)
    probabilities = checked_probabilities(values)
    if (off := float(np.abs(values.sum(axis=1) - 1).max(initial=0.0))) > EXACT:
        log(f"Sums of the rows of probs differ from 1 by at most {off:.2g}; each row is divided by its sum.")
    if ((probabilities == 0) | (probabilities == 1)).all():
        log("Every probability is 0 or 1: the model's confidence cannot be judged from these predictions.")
    return np.asarray(np.log(np.maximum(probabilities, SMALLEST)))


def require_distributions(values: Floats) -> None:
    """Refuse unnamed numbers between 0 and 1 whose rows do not sum to 1.

    Taken as logits, they would make the model look unsure of every image.

    Raises:
        UsageError: they do not sum to 1.
    """
    inside = bool(((values >= -END_TOLERANCE) & (values <= 1 + END_TOLERANCE)).all())
    if len(values) and inside and not looks_like_probabilities(values):
        total = values.sum(axis=1)
        raise UsageError(
            f"Expected probabilities that sum to 1, or logits, received numbers from 0 to 1 with sums from "
            f"{total.min():.4g} to {total.max():.4g}. A column may be missing, or they are a sigmoid for "
            "each class: use softmax. If they are logits, call the array logits, or the columns logit_CLASS."
        )


def logits_of_choice(given: GivenPredictions, k: int, log: Log) -> Floats:
    """Logits whose softmax gives the predicted class its confidence and splits the rest evenly, (n, k).

    Raises:
        UsageError: a confidence is not between 1 / k and 1.
    """
    assert given.predicted is not None
    n = len(given.predicted)
    if given.confidence is None:
        log("The predictions hold no confidences, so the model's confidence cannot be judged from them.")
        sure = np.ones(n)
    else:
        sure = given.confidence.astype(np.float64)
        low, high = float(sure.min(initial=1.0)), float(sure.max(initial=0.0))
        if not (1 / k - END_TOLERANCE <= low and high <= 1 + END_TOLERANCE):
            percent = " They look like percentages: divide by 100." if 1 < high <= 100 else ""
            raise UsageError(
                f"Expected the confidence of the predicted class between 1/{k} and 1, received {low:.4g} to "
                f"{high:.4g}.{percent}"
            )
    rest = np.maximum((1 - sure) / max(k - 1, 1), SMALLEST)
    logits = np.repeat(np.log(rest)[:, None], k, axis=1)
    logits[np.arange(n), given.predicted] = np.log(np.clip(sure, SMALLEST, 1))
    return np.asarray(logits)


def looks_like_probabilities(values: Floats) -> bool:
    """Whether every row lies between 0 and 1 and sums to 1, apart from rounding."""
    inside = (values >= -END_TOLERANCE).all() and (values <= 1 + END_TOLERANCE).all()
    return bool(inside and (np.abs(values.sum(axis=1) - 1) <= sum_tolerance(values)).all())


def sum_tolerance(values: Floats) -> float:
    """How far rounding may carry the sum of a row from 1: half a unit of the last decimal per class."""
    for decimals in (1, 2, 3, 4):
        if np.abs(values - values.round(decimals)).max(initial=0.0) < 1e-7:
            return max(SUM_TOLERANCE, float(0.5 * 0.1**decimals * values.shape[1] + 1e-9))
    return SUM_TOLERANCE


def require_finite(name: str, values: NDArray[np.floating]) -> None:
    """Refuse values (n, k) with NaN or infinity.

    Raises:
        UsageError: there are some; the message gives their number and the first row.
    """
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise UsageError(
            f"Expected finite numbers in {name}, received NaN or infinity in {bad.sum()} of {len(values)} "
            f"rows, the first {int(bad.argmax())}."
        )


def checked_probabilities(values: Floats) -> Floats:
    """Probabilities (n, k), clipped and renormalised to undo rounding.

    Raises:
        UsageError: they are logits, percentages, sigmoids per class, or otherwise not probabilities.
    """
    require_finite("probs", values)
    n, tolerance, total = len(values), sum_tolerance(values), values.sum(axis=1)
    outside = ((values < -END_TOLERANCE) | (values > 1 + END_TOLERANCE)).any(axis=1)
    if outside.any() and are_percentages(values):
        raise UsageError(
            f"Expected probs between 0 and 1, received rows that sum to {np.median(total):.4g}: these are "
            "percentages. Divide them by 100."
        )
    if outside.any():
        raise UsageError(
            f"Expected probs between 0 and 1, received values from {values.min():.4g} to {values.max():.4g}, "
            f"outside in {outside.sum()} of {n} rows. If these are logits, name the array logits."
        )
    off = np.abs(total - 1) > tolerance
    if off.any():
        sigmoids = " They look like a sigmoid for each class; use softmax." if off.mean() > 0.9 else ""
        raise UsageError(
            f"Expected every row of probs to sum to 1 within {tolerance:g}, received {off.sum()} of {n} "
            f"rows that do not, with sums from {total.min():.4g} to {total.max():.4g}.{sigmoids}"
        )
    clipped = np.clip(values, 0, 1)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def are_percentages(values: Floats) -> bool:
    """Whether every row lies between 0 and 100 and sums to 100, apart from rounding."""
    return bool((values >= 0).all() and (np.abs(values.sum(axis=1) - 100) <= 1 + values.shape[1] / 2).all())


def checked_logits(values: Floats) -> Floats:
    """Logits (n, k); if some are huge or -inf, minus the largest of their row and bounded below.

    Raises:
        UsageError: all rows are probabilities or percentages, or a value is NaN or +inf.
    """
    unlikely = np.isneginf(values) & np.isfinite(values).any(axis=1, keepdims=True)
    require_finite("logits", np.where(unlikely, 0.0, values))
    if len(values) and looks_like_probabilities(values):
        raise UsageError(
            f"Expected unnormalised logits, received {len(values)} of {len(values)} rows that lie between 0 "
            "and 1 and sum to 1. These are probabilities: name the array probs."
        )
    if len(values) and are_percentages(values):
        raise UsageError(
            "Expected unnormalised logits, received rows from 0 to 100 that sum to 100. These are "
            "percentages. Divide them by 100 and name the array probs."
        )
    if len(values) and np.abs(values).max() < LARGEST:
        return values
    return np.asarray(np.maximum(values - values.max(axis=1, keepdims=True), LOWEST))
