"""Which object goes on which background, and what the model says of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.composites import Parts

Predict = Callable[[Pixels], NDArray[np.floating]]

CHUNK = 512  # composites in memory at once


@dataclass(frozen=True)
class Design:
    """The composites to be made, one a row: positions of the object and of the donor, int64 (c,)."""

    subject: Ints
    donor: Ints

    def __len__(self) -> int:
        return len(self.subject)

    def first_of_each(self, labels: Ints) -> "Design":
        """One donor of the object's own class and one of another for each object, for the controls."""
        own = labels[self.subject] == labels[self.donor]
        _, first = np.unique(self.subject * 2 + own, return_index=True)
        return Design(self.subject[first], self.donor[first])


def design(labels: Ints, usable: NDArray[np.bool_], *, objects: int, donors: int, seed: int) -> Design:
    """Objects in equal numbers from each class, each with donors of its own and of other classes.

    Args:
        labels: int64 (n,).
        usable: bool (n,), images whose mask was accepted.
        objects: at most this many in all.
        donors: of its own class for each object, and as many of other classes.
        seed: of the choice.

    Raises:
        DeepSightError: a class has fewer than two usable images.
    """
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    pools = {int(c): np.flatnonzero(usable & (labels == c)) for c in classes}
    short = {c: len(pool) for c, pool in pools.items() if len(pool) < 2}
    if short:
        raise DeepSightError(
            f"Expected at least two accepted masks in every class, received {short} (class: number). "
            "Segment more images."
        )
    pairs = []
    for c, own in pools.items():
        others = np.concatenate([pool for d, pool in pools.items() if d != c])
        for subject in rng.permutation(own)[: max(objects // len(classes), 2)]:
            pairs += [(subject, donor) for donor in draw(rng, own[own != subject], donors)]
            pairs += [(subject, donor) for donor in draw(rng, others, donors)]
    subject, donor = np.array(pairs, dtype=np.int64).T
    return Design(subject, donor)


def draw(rng: np.random.Generator, pool: Ints, count: int) -> Ints:
    """`count` of the pool without repetition, or all of it."""
    return rng.choice(pool, size=min(count, len(pool)), replace=False)


def run(parts: Parts, chosen: Design, predict: Predict) -> Ints:
    """The class that the model gives to each composite, int64 (c,)."""
    answers = [
        predict(parts.on(chosen.subject[i : i + CHUNK], chosen.donor[i : i + CHUNK])).argmax(axis=1)
        for i in range(0, len(chosen), CHUNK)
    ]
    return np.concatenate(answers).astype(np.int64) if answers else np.empty(0, dtype=np.int64)
