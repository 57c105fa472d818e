"""Which rows a training pass draws, in which order, and how their maps are mixed."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.recipe import Mix, Recipe

RARITY = 8.0  # the largest factor by which a confused class is drawn more often because it is rare


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
    """The rows with the largest losses of each class, at least one per class, in ascending order.

    They are selected class by class: over all classes, the rows left out would be mostly those of the easy
    classes, and the model would learn that these classes are rare.
    """
    order = np.lexsort((-losses, labels))
    counts = np.bincount(labels)
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)  # within its class
    return np.sort(order[place < np.maximum(1, np.round(share * counts))[labels[order]]])


def class_weight(labels: NDArray[np.int64], recipe: Recipe) -> NDArray[np.float64]:
    """How often a row of each class is drawn, relative to a row of a class that is not confused, (k,).

    Only the first class of a pair is drawn more often, not the class that it is mistaken for. A class with
    fewer rows than the average is first drawn as if it had the average number, since it is probably confused
    because it is rare; `RARITY` limits this, so that batches do not fill with copies of a few images.
    """
    counts = np.bincount(labels)
    boosted = np.intersect1d([true for true, _ in recipe.confused], np.flatnonzero(counts))
    weight = np.ones(len(counts))
    rarity = counts[counts > 0].mean() / counts[boosted]
    weight[boosted] = recipe.confused_boost * np.clip(rarity, 1.0, RARITY)
    return weight


@dataclass(frozen=True)
class Mixing:
    """How two images are mixed: the method, and the parameter of the Beta distribution of the share."""

    kind: Mix
    alpha: float

    @staticmethod
    def of(recipe: Recipe) -> "Mixing":
        """What the recipe asks for."""
        return Mixing(recipe.mix, recipe.mix_alpha)


def mixed(maps: Tensor, recipe: Recipe, step: int) -> tuple[Tensor, Tensor, float]:
    """A batch of maps mixed with a permutation of itself.

    MixUp (Zhang et al. 2018) takes a weighted mean; CutMix (Yun et al. 2019) pastes a rectangle. Both
    act on the maps of the frozen stages, at no cost; the papers mix pixels, as model/mix_pixels.py does.

    Args:
        maps: (b, c, h, w); for MixUp also tokens (b, t, d).
        recipe: the kind of mixing, its parameter and the seed.
        step: number of the step, which with the seed determines the draw.

    Returns:
        The maps, the partner of each row (b,), and the row's own share: 1 without mixing.
    """
    here = torch.arange(len(maps), device=maps.device)
    if recipe.mix == "none":
        return maps, here, 1.0
    rng = np.random.default_rng([recipe.seed, 3, step])
    partner = torch.from_numpy(rng.permutation(len(maps))).to(maps.device)
    height, width = maps.shape[2:] if maps.ndim == 4 else (1, 1)
    weight = own_weight(height, width, Mixing.of(recipe), rng)
    own = torch.from_numpy(weight).to(maps)
    return torch.lerp(maps[partner], maps, own if maps.ndim == 4 else own[0]), partner, float(weight.mean())


def own_weight(height: int, width: int, mixing: Mixing, rng: np.random.Generator) -> NDArray[np.float32]:
    """The weight of the first of two images at every place, float32 (height, width), for one draw.

    For MixUp one value everywhere; for CutMix 0 inside a rectangle and 1 outside.
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
    """A random span of about this share of a side, clipped to the map."""
    half, centre = share * side / 2, rng.uniform(0, side)
    return round(max(0.0, centre - half)), round(min(float(side), centre + half))
