"""Which labels are mistakes of people, and which surprises are a classifier's own: a mixture of both."""

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.labels.label_sources import SMALLEST

FIRST_SHARE = 0.02  # of mistakes, at which the fit begins
FITTED_CELLS = 2_000_000  # images times classes from which two parameters are fitted; more add nothing
IMAGE_DEPENDENT = (
    0.25  # share of people's mistakes that fall where the image itself resembles the other class
)
SHARPEST = 4.0  # largest exponent of the clean probabilities; the least is its inverse
MOST_BEND = 0.2  # of the log-probabilities; more was never fitted
FARTHEST = 6e-6  # probabilities below this are raised to it, since their squared logarithm counts
# Share of right labels that classifiers give, from which far-off classes are far off.
BENT_FROM = (0.84, 0.90)
# Share of wrong labels, less its standard error, from which the sources' own mistakes no longer matter: they
# are about one label in a hundred, whatever the noise (docs/methods/label_errors.md).
NOISY = (0.022, 0.036)
STEPS = (0.1, 0.05, 0.01)  # of the share's log-odds, the power's log and the bend, for second differences


class WrongLabels(NamedTuple):
    """How surely each label is wrong, float64 (n,), and the standard error of the share of wrong labels."""

    probability: Floats
    share_error: float


def confident_joint(labels: Ints, probabilities: Floats) -> Floats:
    """C[j, g]: how many images are of class j and labelled g, float64 (k, k), by confident learning.

    Counts the images that are confidently of class j and labelled g: those whose probability of j is at least
    the mean over the images labelled j, scaled to the counts of the given labels (Northcutt et al. 2021;
    calibrated joint of cleanlab).

    Args:
        labels: int64 (n,), given.
        probabilities: (n, k), P(given label | image), out of sample.
    """
    from cleanlab.count import compute_confident_joint

    return np.asarray(compute_confident_joint(labels, probabilities, calibrate=True), dtype=np.float64).T


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


def wrong_label_probabilities(pooled: Floats, labels: Ints) -> Floats:
    """The probability that each given label is wrong, float64 (n,): see `find_wrong_labels`."""
    return find_wrong_labels(pooled, labels).probability


def find_wrong_labels(pooled: Floats, labels: Ints) -> WrongLabels:
    """How surely each given label is wrong.

    Labels are a mixture: a share are mistakes as people make them (`mistake_likelihood`), the others come
    from the clean probabilities. The share and how the clean probabilities follow from the pooled ones
    maximise the likelihood of the labels. So a classifier's own mistakes, which its probabilities foresee,
    are not taken for wrong labels: only more surprises than it foresees are.

    Two such mixtures are averaged in their log-odds. In one the clean probabilities are the pooled ones to a
    power, which leaves classifiers that err in every way their due. In the other, classes that are far off
    are less likely still, so about one label in a hundred that a classifier gets wrong counts as wrong too.
    It counts where classifiers are good, and where many more labels are wrong than that.

    The mixtures say how many labels are wrong at which doubt; the doubt of the label alone ranks better.

    Args:
        pooled: (n, k), P(given label | image), out of sample and calibrated.
        labels: int64 (n,), given.
    """
    transitions, logs = class_transitions(pooled), np.log(np.maximum(pooled, FARTHEST))
    plain, bent = (fit_wrong_labels(logs, labels, transitions, most_bend=most) for most in (0.0, MOST_BEND))
    mean = (plain.probability.mean() + bent.probability.mean()) / 2
    right = float((pooled.argmax(axis=1) == labels).mean() / (1 - mean))
    noise = float(plain.probability.mean() - plain.share_error)
    weight = max(ramp(right, BENT_FROM), ramp(noise, NOISY))
    wrong = expit((1 - weight) * logit(plain.probability) + weight * logit(bent.probability))
    return WrongLabels(
        along_doubt(pooled[np.arange(len(labels)), labels], wrong),
        (1 - weight) * plain.share_error + weight * bent.share_error,
    )


def ramp(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second on, linear in between."""
    low, high = ends
    return min(1.0, max(0.0, (value - low) / (high - low)))


def fit_wrong_labels(logs: Floats, labels: Ints, transitions: Floats, *, most_bend: float) -> WrongLabels:
    """How surely each label is a mistake, by the mixture of largest likelihood.

    Args:
        logs: (n, k), log of the pooled probabilities.
        labels: int64 (n,), given.
        transitions: (k, k), of `class_transitions`.
        most_bend: how much less likely far-off classes may be than by a power alone.
    """
    most = max(1, FITTED_CELLS // logs.shape[1])
    some = np.arange(len(labels))
    if len(labels) > most:
        some = np.sort(np.random.default_rng(0).permutation(some)[:most])
    few = judged_columns(logs[some], labels[some], transitions)

    def loss(at: Floats) -> float:
        mistaken, right = mixture_parts(few, at)
        return -float(np.log(mistaken + right).mean())

    power = float(np.log(SHARPEST))
    bounds = [(-12.0, 0.0), (-power, power), (0.0, most_bend)]
    found = minimize(loss, [float(logit(FIRST_SHARE)), 0.0, 0.0], method="L-BFGS-B", bounds=bounds)
    every = few if len(some) == len(labels) else judged_columns(logs, labels, transitions)
    mistaken, right = mixture_parts(every, found.x)
    return WrongLabels(
        np.clip(mistaken / (mistaken + right), 1e-12, 1 - 1e-12),
        share_error(loss, found.x, bounds, len(some)),
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


def along_doubt(own: Floats, wrong: Floats) -> Floats:
    """Probabilities (n,) that rise with the doubt of the label and have the mean of `wrong`.

    Their log-odds are linear in those of the doubt, fitted to `wrong` as soft targets (Platt 1999).

    Args:
        own: (n,), pooled probability of each given label.
        wrong: (n,), probability that it is wrong.
    """
    own = np.clip(own, SMALLEST, 1 - SMALLEST)
    doubt = np.log1p(-own) - np.log(own)

    def loss(line: Floats) -> float:
        at = line[0] + line[1] * doubt
        return float((wrong * np.logaddexp(0, -at) + (1 - wrong) * np.logaddexp(0, at)).mean())

    found = minimize(loss, [-2.0, 1.0], method="L-BFGS-B", bounds=[(None, None), (SMALLEST, None)])
    return np.asarray(expit(found.x[0] + found.x[1] * doubt), dtype=np.float64)


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
