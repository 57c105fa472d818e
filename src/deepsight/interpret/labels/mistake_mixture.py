"""Labels as a mixture of those that a classifier foresees and of mistakes as people make them."""

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.labels.label_sources import SMALLEST

FIRST_SHARE = 0.02  # of mistakes, at which the fit begins
FITTED_CELLS = 2_000_000  # images times classes from which a few parameters are fitted; more add nothing
IMAGE_DEPENDENT = 0.25  # share of people's mistakes that fall where the image resembles the other class
SHARPEST = 4.0  # largest exponent of the clean probabilities; the least is its inverse
MOST_BEND = 0.2  # of the log-probabilities; more was never fitted
FARTHEST = 6e-6  # probabilities below this are raised to it, since their squared logarithm counts
STEPS = (0.1, 0.05, 0.01)  # of the share's log-odds and of the two that follow, for second differences


class Mistakes(NamedTuple):
    """Which labels are mistakes.

    Attributes:
        probability: float64 (n,), how surely each is.
        share_error: standard error of the share of mistakes.
        fitted: the log-odds of a mistake, the log of the power, and the bend.
        loss: minus the mean log-likelihood.
    """

    probability: Floats
    share_error: float
    fitted: Floats
    loss: float


def ramp(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second on, linear in between."""
    low, high = ends
    return min(1.0, max(0.0, (value - low) / (high - low)))


def class_transitions(probabilities: Floats) -> Floats:
    """P(mistaken label g | class j) as classes are taken for each other: float64 (k, k), 0 on the diagonal.

    A class that is confused with none makes its mistakes evenly.
    """
    alike = probabilities.T @ probabilities
    np.fill_diagonal(alike, 0)
    total = alike.sum(axis=1, keepdims=True)
    evenly = (1 - np.eye(len(alike))) / max(len(alike) - 1, 1)
    return np.asarray(np.where(total > 0, alike / np.where(total > 0, total, 1), evenly), dtype=np.float64)


def mistake_likelihood(probabilities: Floats, labels: Ints, transitions: Floats) -> Floats:
    """P(this label | image, and the label is a mistake), up to how often images of its kind get one: (n,).

    People make mistakes of two kinds: three quarters on any image, by how its class is confused with others,
    and one quarter (`IMAGE_DEPENDENT`) where the image itself resembles another class. The second kind falls
    on the images in proportion to the chance that two draws from their classes differ.

    Args:
        probabilities: (n, k), P(true class | image).
        labels: int64 (n,), given.
        transitions: (k, k), of `class_transitions`.
    """
    own = probabilities[np.arange(len(labels)), labels]
    return mistakes_of(np.ascontiguousarray(probabilities.T), own, transitions[:, labels])


def mistakes_of(probabilities: Floats, own: Floats, towards: Floats) -> Floats:
    """`mistake_likelihood` of images in columns.

    Args:
        probabilities: (k, n), P(true class | image).
        own: (n,), those of the given labels.
        towards: (k, n), P(the mistaken label is the given one | class).
    """
    on_any = np.einsum("kn,kn->n", probabilities, towards)
    differ = 1 - float(np.einsum("kn,kn->", probabilities, probabilities)) / len(own)
    resembling = own * (1 - own) / max(differ, SMALLEST)
    return np.asarray((1 - IMAGE_DEPENDENT) * on_any + IMAGE_DEPENDENT * resembling)


def fitted_rows(n: int, k: int) -> Ints:
    """The images from which a few parameters are fitted, int64 rows: all, or a sample of very many."""
    most, rows = max(1, FITTED_CELLS // k), np.arange(n)
    return rows if n <= most else np.sort(np.random.default_rng(0).permutation(rows)[:most])


def fit_mistakes(
    logs: Floats, labels: Ints, transitions: Floats, *, most_bend: float, nested: Mistakes | None = None
) -> Mistakes:
    """How surely each label is a mistake, by the mixture of largest likelihood.

    Args:
        logs: (n, k), log of the pooled probabilities.
        labels: int64 (n,), given.
        transitions: (k, k), of `class_transitions`.
        most_bend: how much less likely far-off classes may be than by a power alone.
        nested: the mixture with less bend, if known. A worse fit means that the search got stuck, so it
            starts again from that one.
    """
    some = fitted_rows(*logs.shape)
    few = judged_columns(logs[some], labels[some], transitions)

    def loss(at: Floats) -> float:
        mistaken, right = mixture_parts(few, at)
        return -float(np.log(mistaken + right).mean())

    power = float(np.log(SHARPEST))
    bounds = [(-12.0, 0.0), (-power, power), (0.0, most_bend)]
    found = minimize(loss, [float(logit(FIRST_SHARE)), 0.0, 0.0], method="L-BFGS-B", bounds=bounds)
    if nested is not None and found.fun > nested.loss:
        found = minimize(loss, nested.fitted, method="L-BFGS-B", bounds=bounds)
    every = few if len(some) == len(labels) else judged_columns(logs, labels, transitions)
    mistaken, right = mixture_parts(every, found.x)
    return Mistakes(
        np.clip(mistaken / (mistaken + right), 1e-12, 1 - 1e-12),
        share_error(loss, found.x, bounds, len(some)),
        np.asarray(found.x),
        float(found.fun),
    )


def share_error(
    loss: Callable[[Floats], float], at: Floats, bounds: Sequence[tuple[float, float]], n: int
) -> float:
    """Standard error of the share of mistakes, from the curvature of the likelihood at its largest.

    The other parameters are free to follow, except those that lie at a bound. 0 where the share itself lies
    at its bound: then the data show no mistakes.

    Args:
        loss: minus the mean log-likelihood.
        at: the parameters; the first is the log-odds of the share.
        bounds: of the parameters.
        n: images in the mean.
    """
    free = [i for i, (low, high) in enumerate(bounds) if low + STEPS[i] < at[i] < high - STEPS[i]]
    if 0 not in free:
        return 0.0
    moves = np.diag(STEPS)[free]
    curvature = np.empty((len(free), len(free)))
    for i, j in combinations_with_replacement(range(len(free)), 2):
        ends = [s * t * loss(at + s * moves[i] + t * moves[j]) for s, t in product((1, -1), repeat=2)]
        curvature[i, j] = curvature[j, i] = n * sum(ends) / (4 * moves[i].sum() * moves[j].sum())
    share, variance = float(expit(at[0])), float(np.linalg.pinv(curvature)[0, 0])
    return float(share * (1 - share) * np.sqrt(max(variance, 0.0)))


class JudgedColumns(NamedTuple):
    """The labels that a mixture is fitted to; one column per image, so that sums over classes are fast.

    Attributes:
        logs, squares: (k, n), log of the pooled probabilities, and its square.
        labels: int64 (n,), given.
        towards: (k, n), as in `mistakes_of`.
    """

    logs: Floats
    squares: Floats
    labels: Ints
    towards: Floats


def judged_columns(logs: Floats, labels: Ints, transitions: Floats) -> JudgedColumns:
    """The columns for log probabilities (n, k), labels (n,) and transitions (k, k)."""
    columns = np.ascontiguousarray(logs.T)
    return JudgedColumns(columns, columns**2, labels, transitions[:, labels])


def mixture_parts(judged: JudgedColumns, at: Floats) -> tuple[Floats, Floats]:
    """The joint probabilities (n,) of each label and that it is a mistake, and that it is right.

    Args:
        judged: the labels and what the sources say of them.
        at: the log-odds of a mistake, the log of the power, and the bend.
    """
    share, bend = float(expit(at[0])), float(at[2])
    clean = np.exp(at[1]) * judged.logs
    if bend:
        clean -= bend * judged.squares
    clean -= clean.max(axis=0)
    np.exp(clean, out=clean)
    clean /= clean.sum(axis=0)
    own = clean[judged.labels, np.arange(len(judged.labels))]
    right = (1 - share) * np.maximum(own, 1e-12)
    return share * mistakes_of(clean, own, judged.towards), right
