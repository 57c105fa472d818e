"""The decision alone: class priors, a temperature and a threshold, fitted on validation without training."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome

RIDGE = 10.0  # strength of the prior that a class needs no bias, in images


def fit_class_bias(logits: Reals, labels: Ints) -> Floats:
    """The bias to add to the logits of each class, (k,), by penalised maximum likelihood.

    Bias-corrected temperature scaling without its temperature (Alexandari, Kundaje & Shrikumar 2020): it
    corrects for class priors that differ between training and use.

    Args:
        logits: (n, k), of validation.
        labels: int64 (n,).
    """
    given, k = np.asarray(logits, dtype=np.float64), logits.shape[1]
    counts = np.bincount(labels, minlength=k).astype(np.float64)

    def loss(bias: Floats) -> tuple[float, Floats]:
        moved = given + bias
        total = logsumexp(moved, axis=1)
        value = float(total.sum() - moved[np.arange(len(labels)), labels].sum())
        slope = np.exp(moved - total[:, None]).sum(axis=0) - counts
        return value + RIDGE / 2 * float(bias @ bias), slope + RIDGE * bias

    return np.asarray(minimize(loss, np.zeros(k), jac=True, method="L-BFGS-B").x)


def try_class_bias(examined: ExaminedImages, val_logits: Reals, val_labels: Ints) -> LeverOutcome:
    """Shift the decision towards classes that are predicted too rarely on validation."""
    bias = fit_class_bias(val_logits, val_labels)
    return decided(
        examined,
        examined.logits + bias,
        name="class priors",
        arm="a bias for each class, fitted on validation",
        advice="Add the fitted bias of each class to its logit before the decision.",
    )


def try_temperature(examined: ExaminedImages, temperature: float) -> LeverOutcome:
    """Divide the logits by a temperature: confidence changes, the decision does not."""
    return decided(
        examined,
        examined.logits / temperature,
        name="temperature",
        arm=f"logits divided by {temperature:.2f}, fitted on validation",
        advice="Use it for the confidence; it fixes no error.",
    )


def decided(examined: ExaminedImages, logits: Reals, *, name: str, arm: str, advice: str) -> LeverOutcome:
    """The effect of another decision rule, against the model's own."""
    right = examined.right(logits)
    return LeverOutcome(
        name=name,
        arm=arm,
        control="the model's own decision",
        examined=examined,
        arm_right=right[None],
        control_right=examined.own_right[None],
        advice=advice,
        group="decision",
        evidence=tuple("right with it" if now else "" for now in right),
    )
