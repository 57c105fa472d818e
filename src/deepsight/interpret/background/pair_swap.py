"""Two classes on each other's backgrounds: does the background decide which of the two is seen?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.interpret.background.composites import Parts
from deepsight.interpret.background.effects import Finding, pull
from deepsight.interpret.background.swap_design import Design, Predict, draw, run


@dataclass(frozen=True)
class PairSwap:
    """What was shown of two classes, and what the model said.

    Attributes:
        pair: the two classes.
        chosen: the composites (c).
        answers: int64 (c,), the class given to each.
        finding: the pull of the background, for the table `context`.
    """

    pair: tuple[int, int]
    chosen: Design
    answers: Ints
    finding: Finding


def pair_swap(
    parts: Parts,
    labels: Ints,
    usable: NDArray[np.bool_],
    predict: Predict,
    *,
    pair: tuple[int, int],
    classes: Sequence[str],
    objects: int,
    donors: int,
    seed: int,
) -> PairSwap | None:
    """Objects of both classes on backgrounds of both, and how often each background makes its class.

    Args:
        parts: images taken apart (n).
        labels: int64 (n,).
        usable: bool (n,), whose mask was accepted.
        predict: images -> logits (m, k); it sees about 4 · objects · donors images.
        pair: two different classes.
        classes: k names.
        objects: at most this many of each class.
        donors: backgrounds of either class for each object.
        seed: of every choice.

    Returns:
        None where a class of the pair has fewer than two usable images.
    """
    if any((usable & (labels == c)).sum() < 2 for c in pair):
        return None
    chosen = pair_design(labels, usable, pair, objects=objects, donors=donors, seed=seed)
    answers = run(parts, chosen, predict)
    return PairSwap(pair, chosen, answers, pull(answers, chosen, labels, pair, classes))


def pair_design(
    labels: Ints, usable: NDArray[np.bool_], pair: tuple[int, int], *, objects: int, donors: int, seed: int
) -> Design:
    """The objects of two classes, each on backgrounds of both."""
    rng = np.random.default_rng(seed)
    pools = [np.flatnonzero(usable & (labels == c)) for c in pair]
    pairs = [
        (inputs, donor)
        for own in pools
        for inputs in draw(rng, own, objects)
        for pool in pools
        for donor in draw(rng, pool[pool != inputs], donors)
    ]
    inputs, donor = np.array(pairs, dtype=np.int64).T
    return Design(inputs, donor)
