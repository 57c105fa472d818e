"""Two classes on each other's backgrounds: does the background decide which of the two is predicted?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.open_model import Predict
from deepsight.interpret.background.composites import Cutouts
from deepsight.interpret.background.effects import SwapEffect, pair_effect
from deepsight.interpret.background.swap_design import SwapDesign, predict_composites, sample_from


@dataclass(frozen=True)
class PairSwap:
    """Composites of two classes, and the model's answers.

    Attributes:
        pair: the two classes.
        chosen: the composites (c).
        answers: int64 (c,), the class predicted for each.
        effect: of the background, for the table `context`.
    """

    pair: tuple[int, int]
    chosen: SwapDesign
    answers: Ints
    effect: SwapEffect


def pair_swap(
    cutouts: Cutouts,
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
    """Put objects of both classes on backgrounds of both, and measure the effect of the background.

    Args:
        cutouts: images cut into object and background (n).
        labels: int64 (n,).
        usable: bool (n,), which masks were accepted.
        predict: images -> logits (m, k); called on about 4 · objects · donors images.
        pair: two different classes.
        classes: k names.
        objects: at most this many of each class.
        donors: backgrounds of either class for each object.
        seed: random seed.

    Returns:
        None where a class of the pair has fewer than two usable images.
    """
    if any((usable & (labels == c)).sum() < 2 for c in pair):
        return None
    chosen = pair_design(labels, usable, pair, objects=objects, donors=donors, seed=seed)
    answers = predict_composites(cutouts, chosen, predict)
    return PairSwap(pair, chosen, answers, pair_effect(answers, chosen, labels, pair, classes))


def pair_design(
    labels: Ints, usable: NDArray[np.bool_], pair: tuple[int, int], *, objects: int, donors: int, seed: int
) -> SwapDesign:
    """The objects of two classes, each on backgrounds of both."""
    rng = np.random.default_rng(seed)
    pools = [np.flatnonzero(usable & (labels == c)) for c in pair]
    pairs = [
        (inputs, donor)
        for own in pools
        for inputs in sample_from(rng, own, objects)
        for pool in pools
        for donor in sample_from(rng, pool[pool != inputs], donors)
    ]
    inputs, donor = np.array(pairs, dtype=np.int64).T
    return SwapDesign(inputs, donor)
