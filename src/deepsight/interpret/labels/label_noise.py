"""How labels go wrong, class by class, and what a classifier of given labels says about the true ones."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from deepsight.core.array_types import Floats, Ints

ROUNDS = 50  # of the deconvolution; it has settled long before on ten classes
SETTLED = 1e-7  # a row is left as it is once no probability in it changes by more than this in a round
SPARSE = 0.1  # share of other cells than 0 below which a noise matrix is stored by those alone
BLOCK_CELLS = 2**21  # probabilities that are worked on at a time: 16 MB
SEEN = 0.35  # share of planted mistakes that a threshold must let through before its count is believed


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


def transition(labels: Ints, probabilities: Floats) -> Floats:
    """T[j, g] = P(given g | true j), float64 (k, k), rows sum to 1, from the confident joint.

    One image is added on the diagonal, so that a class that nobody is confident of keeps its labels.
    """
    joint = confident_joint(labels, probabilities)
    joint += np.eye(len(joint))
    return np.asarray(joint / joint.sum(axis=1, keepdims=True), dtype=np.float64)


def deconvolve(probabilities: Floats, noise: Floats) -> Floats:
    """P(true class | image) (n, k), such that true classes seen through the noise give `probabilities`.

    Richardson-Lucy iteration: stays positive where the inverse of the noise matrix does not (Richardson 1972,
    Lucy 1974).

    Args:
        probabilities: (n, k), P(given label | image).
        noise: (k, k), `transition`.
    """
    there = np.count_nonzero(noise) / noise.size
    kernel = csr_array(noise) if there < SPARSE else noise  # of 1,000 classes, few are taken for each other
    step = max(1, BLOCK_CELLS // noise.shape[0])
    blocks = [
        deconvolved_block(probabilities[start : start + step], kernel)
        for start in range(0, len(probabilities), step)
    ]
    true = np.concatenate(blocks) if blocks else probabilities.copy()
    return np.asarray(true / true.sum(axis=1, keepdims=True), dtype=np.float64)


def deconvolved_block(probabilities: Floats, kernel: Any) -> Floats:
    """The iteration for a few rows; each ends by itself once it has settled."""
    true = probabilities.copy()
    rows = np.arange(len(true))
    for _ in range(ROUNDS):
        before = true[rows]
        seen = np.maximum(before @ kernel, np.finfo(np.float64).tiny)
        after = before * ((probabilities[rows] / seen) @ kernel.T)
        true[rows] = after
        rows = rows[np.abs(after - before).max(axis=1) > SETTLED]
        if not len(rows):
            break
    return true


def true_class(probabilities: Floats, labels: Ints, noise: Floats) -> Floats:
    """P(true class | image and given label), float64 (n, k), by Bayes: P(true j | image) T[j, given]."""
    joint = deconvolve(probabilities, noise) * noise.T[labels]
    total = np.maximum(joint.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.asarray(joint / total, dtype=np.float64)


def planted_mistakes(probabilities: Floats, labels: Ints) -> Floats:
    """How likely each other label is to be the mistake, were one made: float64 (n, k), sums to 1 in all.

    One half of the mistakes fall on images at random, by how their class is confused; the other half where
    the image itself resembles the other class. On CIFAR-10N, people's mistakes were ranked between the two
    kinds (docs/methods/label_errors.md).

    Args:
        probabilities: (n, k), P(given label | image), out of sample.
        labels: int64 (n,), given.
    """
    n, k = probabilities.shape
    alike = probabilities.copy()
    alike[np.arange(n), labels] = 0
    confused = np.eye(k)[labels].T @ alike
    confused /= np.maximum(confused.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    at_random = confused[labels] / n
    return np.asarray((at_random + alike / max(float(alike.sum()), 1e-300)) / 2, dtype=np.float64)


def most_mistakes(probabilities: Floats, labels: Ints) -> float:
    """The largest number of wrong labels that the images with the least plausible labels leave room for.

    A classifier that is surely wrong looks like a wrong label, so counting surprises counts both. Planting
    mistakes tells what share of them a threshold would let through; no more can be there than the images
    above the threshold, over that share. The least such bound counts, over thresholds that let 35 %
    through (a bound on the mixture proportion, Blanchard, Lee and Scott 2010). No source has seen the label
    of its image, so a planted label needs no new fit: its probability is at hand.

    Args:
        probabilities, labels: as in `planted_mistakes`.
    """
    n = len(labels)
    own = np.sort(probabilities[np.arange(n), labels])  # the least plausible first
    first = np.searchsorted(own, probabilities.ravel(), side="left")  # images less plausible than each
    weight = np.bincount(first, planted_mistakes(probabilities, labels).ravel(), minlength=n + 1)[:n]
    through = np.cumsum(weight)  # planted mistakes no more plausible than each image
    count = np.arange(1, n + 1)
    seen = through >= SEEN
    return float((count[seen] / through[seen]).min(initial=n))
