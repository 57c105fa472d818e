"""The zero of the swap test: the gap of a head that was trained on random backgrounds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepsight.core.array_types import Floats, Floats32, Ints, Pixels
from deepsight.core.open_model import OpenModel
from deepsight.interpret.background.composites import Cutouts
from deepsight.interpret.background.effects import SwapEffect, background_gaps
from deepsight.interpret.background.swap_design import CHUNK, SwapDesign

ZERO = "zero: head on random backgrounds"
RIDGE = 0.1  # of the mean variance of a feature, added to each


@dataclass(frozen=True)
class PooledModel:
    """A model as pooled features and a linear head, so that one pass yields both.

    Attributes:
        features: images -> (m, d), pooled.
        weight, bias: (k, d) and (k,), of its own head.
    """

    features: Callable[[Pixels], Floats32]
    weight: Floats32
    bias: Floats32

    @classmethod
    def of(cls, model: object) -> "PooledModel | None":
        """This view of a model, or None where it is no chain of stages with a linear head."""
        if not isinstance(model, OpenModel):
            return None

        def features(images: Pixels) -> Floats32:
            pooled = [maps.mean(dim=(2, 3)).cpu().numpy() for maps in model.map_batches(images)]
            return np.concatenate(pooled).astype(np.float32)

        return cls(features, model.weight, model.bias)

    def answers(self, features: Floats32) -> Ints:
        """The class that its own head predicts from features, int64 (m,)."""
        return np.asarray((features @ self.weight.T + self.bias).argmax(axis=1), dtype=np.int64)


def composite_features(cutouts: Cutouts, chosen: SwapDesign, model: PooledModel) -> Floats32:
    """The pooled features of each composite, (c, d)."""
    starts = range(0, len(chosen), CHUNK)
    parts = [slice(start, start + CHUNK) for start in starts]
    return np.concatenate([model.features(cutouts.on(chosen.subject[p], chosen.donor[p])) for p in parts])


def zero_control(features: Floats32, chosen: SwapDesign, labels: Ints) -> SwapEffect:
    """The BG-gap of a new head on the model's own features, on objects that it was not fitted to.

    The head is fitted to half of the objects and answers for the other half, and the reverse. Composites are
    weighted so that the class of the background is independent of that of the object. The remaining gap is
    due to the composites, the masks and the features, not to the head.

    Args:
        features: (c, d), of the composites.
        chosen: the composites.
        labels: int64 (n,), of the images.
    """
    classes, target = np.unique(labels[chosen.subject], return_inverse=True)
    own = labels[chosen.subject] == labels[chosen.donor]
    weight = np.where(own, 1 / own.sum(), (len(classes) - 1) / max((~own).sum(), 1)) * len(own) / len(classes)
    fold = fold_of_objects(chosen.subject, labels)
    answers = np.empty(len(chosen), dtype=np.int64)
    for held in (0, 1):
        seen, left = fold != held, fold == held
        fitted = fit_ridge(features[seen], target[seen], weight[seen], len(classes))
        answers[left] = fitted(features[left])
    right = answers == target
    note = f"as swap, a head for which backgrounds mean nothing; it is right on {right[own].mean():.0%} there"
    return background_gaps(right, chosen, labels, test=ZERO, note=note).whole


def fold_of_objects(subject: Ints, labels: Ints) -> Ints:
    """The fold, 0 or 1, of each composite's object; every class is divided evenly."""
    objects, place = np.unique(subject, return_inverse=True)
    turn = np.empty(len(objects), dtype=np.int64)
    for c in np.unique(labels[objects]):
        at = np.flatnonzero(labels[objects] == c)
        turn[at] = np.arange(len(at)) % 2
    return turn[place]


def fit_ridge(x: Floats32, target: Ints, weight: Floats, k: int) -> Callable[[Floats32], Ints]:
    """Weighted ridge regression on class indicators: a function from features (m, d) to classes (m,)."""
    mean, share = np.average(x, axis=0, weights=weight), weight / weight.sum()
    centred, truth = x - mean, np.eye(k)[target]
    base = share @ truth
    gram = (centred * share[:, None]).T @ centred
    gram[np.diag_indices_from(gram)] += RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12)
    slope = np.linalg.solve(gram, (centred * share[:, None]).T @ (truth - base))
    return lambda new: np.asarray(((new - mean) @ slope + base).argmax(axis=1), dtype=np.int64)
