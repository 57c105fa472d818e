"""Which rows a pass draws, in which order, and how their maps are mixed."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.recipe import Mix, Recipe

RARITY = 8.0  # times that a rare confused class is drawn as if it had more rows, at most


def draw_order(
    labels: NDArray[np.int64], losses: NDArray[np.floating], recipe: Recipe, epoch: int
) -> NDArray[np.int64]:
    """The rows of one pass, in the order of training.

    Args:
        labels: int64 (n,).
        losses: (n,), the last loss of each row, infinite where none is known yet.
        recipe: `hard_share` keeps the rows of each class with the largest loss; `confused` draws some classes
            more often.
        epoch: 0 is the first pass; the first `hard_after` passes take all rows.
    """
    rng = np.random.default_rng([recipe.seed, 2, epoch])
    rows = np.arange(len(labels))
    if epoch >= recipe.hard_after and recipe.hard_share < 1:
        rows = hardest(labels, losses, recipe.hard_share)
    if recipe.confused and recipe.confused_boost != 1:
        weight = class_weight(labels, recipe)[labels[rows]]
        return rng.choice(rows, size=len(rows), p=weight / weight.sum()).astype(np.int64)
    return rng.permutation(rows).astype(np.int64)


def hardest(labels: NDArray[np.int64], losses: NDArray[np.floating], share: float) -> NDArray[np.int64]:
    """The rows of the largest loss of each class, at least one, in the order of the rows.

    Class by class, since the easiest rows of all would be those of the easy classes: without them the
    model learns that these classes are rare.
    """
    order = np.lexsort((-losses, labels))
    counts = np.bincount(labels)
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)  # within its class
    return np.sort(order[place < np.maximum(1, np.round(share * counts))[labels[order]]])


def class_weight(labels: NDArray[np.int64], recipe: Recipe) -> NDArray[np.float64]:
    """How often a row of each class is drawn, relative to a row of a class that is not confused, (k,).

    The first class of a pair is drawn more, the one it is taken for is not: it has what the first one lacks.
    A class that is rarer than the average is drawn as if it had the average number of rows: it is confused
    because it is rare, and twice as often as rarely is still rarely. Very few rows are not drawn so often,
    since batches would be full of the same images.
    """
    counts = np.bincount(labels)
    boosted = np.intersect1d([true for true, _ in recipe.confused], np.flatnonzero(counts))
    weight = np.ones(len(counts))
    rarity = counts[counts > 0].mean() / counts[boosted]
    weight[boosted] = recipe.confused_boost * np.clip(rarity, 1.0, RARITY)
    return weight


@dataclass(frozen=True)
class Mixing:
    """How two images are mixed: the kind, and the parameter of the Beta distribution of the share."""

    kind: Mix
    alpha: float

    @staticmethod
    def of(recipe: Recipe) -> "Mixing":
        """What the recipe asks for."""
        return Mixing(recipe.mix, recipe.mix_alpha)


def mixed(maps: Tensor, recipe: Recipe, step: int) -> tuple[Tensor, Tensor, float]:
    """A batch of maps mixed with its own permutation.

    MixUp (Zhang et al. 2018) takes a weighted mean; CutMix (Yun et al. 2019) pastes a rectangle. Both
    act on the maps of the frozen stages, at no cost; the originals mix pixels, as model/mix_pixels.py does.

    Returns:
        The maps (b, c, h, w), the partner of each row (b,), and the row's own share: 1 without mixing.
    """
    here = torch.arange(len(maps), device=maps.device)
    if recipe.mix == "none":
        return maps, here, 1.0
    rng = np.random.default_rng([recipe.seed, 3, step])
    partner = torch.from_numpy(rng.permutation(len(maps))).to(maps.device)
    height, width = maps.shape[2:]
    weight = own_weight(height, width, Mixing.of(recipe), rng)
    own = torch.from_numpy(weight).to(maps)
    return torch.lerp(maps[partner], maps, own), partner, float(weight.mean())


def own_weight(height: int, width: int, mixing: Mixing, rng: np.random.Generator) -> NDArray[np.float32]:
    """The weight of the first of two images at every place, float32 (height, width), for one draw.

    MixUp gives one value everywhere; CutMix gives 0 inside a rectangle and 1 outside.
    """
    share = float(rng.beta(mixing.alpha, mixing.alpha))
    weight = np.ones((height, width), dtype=np.float32)
    if mixing.kind == "mixup":
        return weight * np.float32(share)
    top, bottom = _span(height, np.sqrt(1 - share), rng)
    left, right = _span(width, np.sqrt(1 - share), rng)
    weight[top:bottom, left:right] = 0
    return weight


def _span(side: int, share: float, rng: np.random.Generator) -> tuple[int, int]:
    """A span of about this share of a side, cut off where it leaves the map."""
    half, centre = share * side / 2, rng.uniform(0, side)
    return round(max(0.0, centre - half)), round(min(float(side), centre + half))
