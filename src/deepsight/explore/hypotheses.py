"""Hypotheses about the model, registered before training."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.hypothesis import Group, Hypothesis, Origin
from deepsight.core.statistics.unit_rows import unit_rows

RIGID = Group("rigid", ("airplane", "automobile", "ship", "truck"))
ORGANIC = Group("organic", ("bird", "cat", "deer", "dog", "frog", "horse"))


def confusion_hypothesis(a: str, b: str, statement: str, *, proposed: bool = False) -> Hypothesis:
    """The hypothesis that two classes are confused with each other."""
    origin: Origin = "proposed" if proposed else "stated"
    return Hypothesis(f"{a}-{b}", statement, "confused_pair", Group(a, (a,)), Group(b, (b,)), origin)


CIFAR10 = (
    Hypothesis(
        "rigid-over-organic",
        "Rigid classes (airplane, automobile, ship, truck) have a higher recall than organic ones "
        "(bird, cat, deer, dog, frog, horse).",
        "recall_gap",
        RIGID,
        ORGANIC,
    ),
    confusion_hypothesis(
        "automobile",
        "truck",
        "Automobile and truck are confused with each other: both are vehicles on wheels.",
    ),
    confusion_hypothesis(
        "cat", "dog", "Cat and dog are confused with each other: both are small furry animals."
    ),
    confusion_hypothesis(
        "airplane",
        "bird",
        "Airplane and bird are confused with each other because of the sky behind both. "
        "(This tests the confusion; the background test asks whether the background causes it.)",
    ),
)


def register_hypotheses(
    classes: Sequence[str], features: NDArray[np.floating], labels: Ints, *, proposals: int = 3
) -> tuple[Hypothesis, ...]:
    """The hypotheses of a study: those stated for CIFAR-10, or pairs proposed from features.

    Proposals come from training images before any training, so test images are a fair test of them. They are
    marked as proposed because no person stated them.

    Args:
        classes: names of the k classes.
        features, labels: (n, d) of a frozen backbone and int64 (n,), of training images.
        proposals: number of pairs to propose for data sets that have no stated hypotheses.
    """
    named = {name for h in CIFAR10 for group in (h.first, h.second) for name in group.classes}
    return (
        CIFAR10
        if named == set(classes)
        else proposed_hypotheses(classes, features, labels, proposals=proposals)
    )


def proposed_hypotheses(
    classes: Sequence[str], features: NDArray[np.floating], labels: Ints, *, proposals: int
) -> tuple[Hypothesis, ...]:
    """Hypotheses about the pairs of classes with the most similar mean features, most similar first."""
    k = len(classes)
    centres, present = standard_centres(features, labels, k), np.bincount(labels, minlength=k) > 0
    pairs = np.triu(np.outer(present, present), k=1)
    alike = np.where(pairs, centres @ centres.T, -np.inf)
    closest = np.argsort(-alike, axis=None, kind="stable")[:proposals]
    found = [divmod(int(cell), len(classes)) for cell in closest if np.isfinite(alike.flat[cell])]
    return tuple(
        confusion_hypothesis(
            classes[a],
            classes[b],
            f"{classes[a]} and {classes[b]} are confused with each other: their mean features are similar.",
            proposed=True,
        )
        for a, b in found
    )


def standard_centres(features: NDArray[np.floating], labels: Ints, k: int) -> Floats:
    """The mean of each class in features of mean 0 and deviation 1, scaled to length 1, (k, d).

    A class without images gets zeros.
    """
    x = np.asarray(features, dtype=np.float64)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12)
    members = (labels == np.arange(k)[:, None]).astype(np.float64)
    centres = members @ x / np.maximum(members.sum(axis=1, keepdims=True), 1)
    return unit_rows(centres)
