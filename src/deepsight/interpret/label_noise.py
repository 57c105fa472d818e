"""How labels go wrong, class by class, and what a classifier of given labels says about the true ones."""

import numpy as np

from deepsight.core.statistics import Floats, Labels

ROUNDS = 50  # of the deconvolution; it has settled long before on ten classes


def confident_joint(labels: Labels, probabilities: Floats) -> Floats:
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


def transition(labels: Labels, probabilities: Floats) -> Floats:
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
    true = probabilities.copy()
    for _ in range(ROUNDS):
        seen = np.maximum(true @ noise, np.finfo(np.float64).tiny)
        true *= (probabilities / seen) @ noise.T
    return np.asarray(true / true.sum(axis=1, keepdims=True), dtype=np.float64)


def true_class(probabilities: Floats, labels: Labels, noise: Floats) -> Floats:
    """P(true class | image and given label), float64 (n, k), by Bayes: P(true j | image) T[j, given]."""
    joint = deconvolve(probabilities, noise) * noise.T[labels]
    total = np.maximum(joint.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.asarray(joint / total, dtype=np.float64)
