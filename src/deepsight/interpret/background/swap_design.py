"""Which object goes on which background, and what the model predicts for each composite."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.open_model import Predict
from deepsight.interpret.background.composites import Cutouts

CHUNK = 512  # composites in memory at once


@dataclass(frozen=True)
class SwapDesign:
    """The composites to be made: position of the object and of the donor of each, int64 (c,)."""

    subject: Ints
    donor: Ints

    def __len__(self) -> int:
        return len(self.subject)

    def first_of_each(self, labels: Ints) -> "SwapDesign":
        """One donor of the object's own class and one of another for each object, for the controls."""
        own = labels[self.subject] == labels[self.donor]
        _, first = np.unique(self.subject * 2 + own, return_index=True)
        return SwapDesign(self.subject[first], self.donor[first])


def make_swap_design(
    labels: Ints, usable: NDArray[np.bool_], *, objects: int, donors: int, seed: int
) -> SwapDesign:
    """Objects in equal numbers from each class, each with donors from its own and from other classes.

    Classes with fewer than two usable images take no part.

    Args:
        labels: int64 (n,).
        usable: bool (n,), which masks were accepted.
        objects: at most this many in total.
        donors: number from the object's own class, and again from other classes.
        seed: random seed.

    Raises:
        DeepSightError: fewer than two classes have two usable images.
    """
    rng = np.random.default_rng(seed)
    all_pools = {int(c): np.flatnonzero(usable & (labels == c)) for c in np.unique(labels)}
    pools = {c: pool for c, pool in all_pools.items() if len(pool) >= 2}
    if len(pools) < 2:
        counts = {c: len(pool) for c, pool in all_pools.items()}
        raise DeepSightError(
            "Expected at least two accepted masks in each of two classes, received "
            f"{counts} (class: number). Segment more images."
        )
    classes = list(pools)
    pairs = []
    for c, own in pools.items():
        others = np.concatenate([pool for d, pool in pools.items() if d != c])
        for subject in rng.permutation(own)[: max(objects // len(classes), 2)]:
            pairs += [(subject, donor) for donor in sample_from(rng, own[own != subject], donors)]
            pairs += [(subject, donor) for donor in sample_from(rng, others, donors)]
    subject, donor = np.array(pairs, dtype=np.int64).T
    return SwapDesign(subject, donor)


def sample_from(rng: np.random.Generator, pool: Ints, count: int) -> Ints:
    """`count` of the pool without replacement, or all of it."""
    return rng.choice(pool, size=min(count, len(pool)), replace=False)


def predict_composites(cutouts: Cutouts, chosen: SwapDesign, predict: Predict) -> Ints:
    """The class predicted for each composite, int64 (c,)."""
    answers = [
        predict(cutouts.on(chosen.subject[i : i + CHUNK], chosen.donor[i : i + CHUNK])).argmax(axis=1)
        for i in range(0, len(chosen), CHUNK)
    ]
    return np.concatenate(answers).astype(np.int64) if answers else np.empty(0, dtype=np.int64)
