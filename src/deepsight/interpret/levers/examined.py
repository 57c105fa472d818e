"""The test images that the levers are judged on: every error, and a two-phase sample of correct ones."""

import numpy as np

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.predictions import softmax
from deepsight.interpret.levers.outcome import ExaminedImages

FLOOR = 0.05  # of the relative chance of a correct image: no weight exceeds 20 times another
ERRORS = 0.4  # share of the sample; with more, the few correct images that break decide the interval


def choose_examined(labels: Ints, logits: Reals, size: int, *, seed: int) -> ExaminedImages:
    """Every error (or a sample, where errors are more than `ERRORS` of `size`), and correct images up to it.

    A correct image with a close runner-up is drawn more often, since a change may break it. Its weight,
    1 / its inclusion probability, keeps sums unbiased (two-phase sampling, Horvitz & Thompson 1952).

    Args:
        labels: int64 (n,).
        logits: (n, k), of the examined model.
        size: images to examine.
        seed: random seed.
    """
    wrong = logits.argmax(axis=1) != labels
    most = max(1, int(ERRORS * size))
    chance = np.zeros(len(labels))
    chance[wrong] = min(1.0, most / max(int(wrong.sum()), 1))
    room = size - chance[wrong].sum()
    chance[~wrong] = capped_chances(closeness(logits[~wrong]), room)
    drawn = systematic_draw(chance, wrong, seed=seed)
    return ExaminedImages(drawn, labels[drawn], np.asarray(logits[drawn]), 1 / chance[drawn], len(labels))


def closeness(logits: Reals) -> Floats:
    """How close the runner-up is to the predicted class, (n,): 1 where they tie, at least FLOOR."""
    if not len(logits):
        return np.empty(0)
    ranked = np.sort(softmax(logits), axis=1)
    return np.asarray(np.maximum(FLOOR, np.sqrt(1 - (ranked[:, -1] - ranked[:, -2]))), dtype=np.float64)


def capped_chances(size: Floats, expected: float) -> Floats:
    """Chances proportional to `size` that sum to `expected`, none above 1."""
    chance = np.ones(len(size))
    if expected >= len(size):
        return chance
    full = np.zeros(len(size), dtype=bool)
    while True:
        rest = max(expected - full.sum(), 0.0)
        chance = np.where(full, 1.0, size * rest / size[~full].sum())
        over = (chance > 1) & ~full
        if not over.any():
            return np.asarray(np.clip(chance, 1e-6, 1.0))
        full |= over


def systematic_draw(chance: Floats, wrong: Bools, *, seed: int) -> Ints:
    """Positions drawn with these chances, ascending: one systematic draw of errors, one of the others."""
    rng = np.random.default_rng(seed)
    drawn = []
    for group in (np.flatnonzero(wrong), np.flatnonzero(~wrong)):
        order = rng.permutation(group)
        ends = np.concatenate([[0.0], np.cumsum(chance[order])]) + rng.random()
        drawn.append(order[np.diff(np.floor(ends + 1e-9)) > 0])
    return np.sort(np.concatenate(drawn)).astype(np.int64)
