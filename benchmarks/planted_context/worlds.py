"""The images that cues are planted in: CIFAR-10, and training images that lost their natural context."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cues import CUES, Images8, Ints, K
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset
from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.grabcut import Masks, segment_objects
from deepsight.obtain.cifar10.load import load_cifar10

BACKGROUNDS = 4  # random ones for each training object


@dataclass(frozen=True)
class Part:
    """Images of one role and their labels."""

    images: Images8
    labels: Ints

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Part":
        return Part(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Planted:
    """One cue in one part: as the label says, and at random."""

    aligned: Images8
    random: Images8
    labels: Ints

    def mixed(self, take_aligned: NDArray[np.bool_]) -> Part:
        """The part with its own class's cue in some images and a random one in the others."""
        images = np.where(take_aligned[:, None, None, None], self.aligned, self.random)
        return Part(images, self.labels)


@dataclass(frozen=True)
class Roles:
    """Who sees which images: none is in two roles.

    Attributes:
        train: by world, training images of CIFAR-10 as they are, or their objects on random backgrounds.
        truth: test images that the true reliance is measured on.
        audit: test images that the swap test gets.
        masks: of the audit's images, cut before a cue is planted.
    """

    train: dict[str, Part]
    truth: Part
    audit: Part
    masks: Masks


def cast(sizes: dict[str, int], store: Path, seed: int) -> Roles:
    """Draw the images of each role and cut their objects; masks are kept in `store`."""
    rng, official = np.random.default_rng(seed), load_cifar10()
    train = balanced(official.train, sizes["train"], rng)
    test = balanced(official.test, sizes["truth"] + sizes["audit"], rng)
    cut = sizes["truth"]
    audit = test.select(np.arange(cut, len(test)))
    worlds = {"neutral": shuffled_backgrounds(train, segmented(train, store), seed)}
    worlds["natural"] = train
    return Roles(worlds, test.select(np.arange(cut)), audit, segmented(audit, store))


def balanced(data: Dataset, n: int, rng: np.random.Generator) -> Part:
    """n images, as many of each class, in random order."""
    rows = [rng.permutation(np.flatnonzero(data.labels == c))[: n // K] for c in range(K)]
    rows = rng.permutation(np.concatenate(rows))
    return Part(data.pixels(rows), data.labels[rows])


def segmented(part: Part, store: Path) -> Masks:
    """Masks of these images, cut now or read back; the file is named after the images."""
    path = store / f"masks-{zlib.crc32(part.images.tobytes()):08x}.npz"
    if path.exists():
        with np.load(path) as file:
            return Masks(file["inside"], file["accepted"])
    masks = segment_objects(part.images)
    np.savez_compressed(path, inside=masks.inside, accepted=masks.accepted)
    return masks


def shuffled_backgrounds(part: Part, masks: Masks, seed: int) -> Part:
    """Objects on random backgrounds, so that none tells a class before a cue is planted."""
    rows = np.flatnonzero(masks.accepted)
    apart, rng = cut_out(part.images[rows], masks.select(rows)), np.random.default_rng(seed)
    here = np.arange(len(rows))
    shown = [apart.on(here, rng.permutation(here)) for _ in range(BACKGROUNDS)]
    return Part(np.concatenate(shown), np.tile(part.labels[rows], BACKGROUNDS))


def plant(part: Part, cue: str, seed: int) -> Planted:
    """Both versions of a part; a random code is that of some other image, so codes stay as frequent."""
    codes = np.random.default_rng(seed).permutation(part.labels)
    return Planted(CUES[cue](part.images, part.labels), CUES[cue](part.images, codes), part.labels)


def aligned_share(rho: float, n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which images carry their own class's cue for sure, so that a share rho carries it in all."""
    return rng.random(n) < (rho - 1 / K) / (1 - 1 / K)
