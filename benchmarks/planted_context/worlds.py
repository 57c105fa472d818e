"""The images that cues are planted in: CIFAR-10, and training images that lost their natural context."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cues import CUES, Images8, Ints, K
from numpy.typing import NDArray

from deepsight.interpret.composites import take_apart
from deepsight.interpret.masks import Masks, segment


@dataclass(frozen=True)
class Part:
    """Images of one role and their labels."""

    images: Images8
    labels: Ints


@dataclass(frozen=True)
class Planted:
    """One cue in one part: as the label says, and at random."""

    aligned: Images8
    random: Images8
    labels: Ints

    def mixed(self, take_aligned: NDArray[np.bool_]) -> Images8:
        return np.where(take_aligned[:, None, None, None], self.aligned, self.random)


def balanced(images: Images8, labels: Ints, n: int, rng: np.random.Generator) -> Part:
    rows = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[: n // K] for c in range(K)])
    rows = rng.permutation(rows)
    return Part(images[rows], labels[rows])


def natural(arrays: Path, sizes: dict[str, int], seed: int) -> dict[str, Part]:
    """Training images for the heads; test images, none twice, for the truth and for the audit."""
    rng = np.random.default_rng(seed)
    with np.load(arrays) as file:
        train = Part(file["train_images"], file["train_labels"].ravel().astype(np.int64))
        test = Part(file["test_images"], file["test_labels"].ravel().astype(np.int64))
    both = balanced(test.images, test.labels, sizes["truth"] + sizes["audit"], rng)
    cut = sizes["truth"]
    return {
        "train": balanced(train.images, train.labels, sizes["train"], rng),
        "truth": Part(both.images[:cut], both.labels[:cut]),
        "audit": Part(both.images[cut:], both.labels[cut:]),
    }


def neutral(parts: dict[str, Part], seed: int) -> dict[str, Part]:
    """Training objects on random backgrounds, so that no background tells a class before a cue is planted.

    The images of the truth and of the audit stay as they are.
    """
    return {**parts, "train": shuffled_backgrounds(parts["train"], seed)}


def shuffled_backgrounds(part: Part, seed: int) -> Part:
    masks = segment(part.images)
    rows = np.flatnonzero(masks.accepted)
    apart = take_apart(part.images[rows], Masks(masks.inside[rows], masks.accepted[rows]))
    here = np.arange(len(rows))
    return Part(apart.on(here, np.random.default_rng(seed).permutation(here)), part.labels[rows])


def plant(part: Part, cue: str, seed: int) -> Planted:
    codes = np.random.default_rng(seed).permutation(part.labels)
    return Planted(CUES[cue](part.images, part.labels), CUES[cue](part.images, codes), part.labels)
