"""What people said: three annotators for each of CIFAR-10's first 25,000 training images (CIFAR-10N)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy

from deepsight.core.array_types import Bools, Floats, Ints

CLEAREST = 0.2  # share of the images, the clearest by a score, on which people who differ have only slipped


@dataclass(frozen=True)
class Votes:
    """The votes of three people on each of n images.

    Attributes:
        official: int64 (n,), the official labels.
        counts: int64 (n, k), votes for each class.
        annotators: int64 (n, 3), the votes themselves.
    """

    official: Ints
    counts: NDArray[np.int64]
    annotators: Ints

    @property
    def entropy(self) -> Floats:
        """Of the votes (n,), nats."""
        return np.asarray(entropy(self.counts, axis=1))

    @property
    def split(self) -> Bools:
        """Whether the three differ, bool (n,)."""
        return np.asarray(self.counts.max(axis=1) < 3)

    @property
    def three_ways(self) -> Bools:
        """Whether all three differ from each other, bool (n,)."""
        return np.asarray(self.counts.max(axis=1) == 1)

    @property
    def pairs_differ(self) -> Floats:
        """Share of the three pairs of people who differ (n,)."""
        return np.asarray(1 - (self.counts * (self.counts - 1)).sum(axis=1) / 6)

    def differ_beyond_slips(self, score: Floats) -> Floats:
        """The same (n,) less what people differ on the clearest fifth by a score, as a share of the rest.

        Single values may be below 0; their mean over images is that of people who do not slip.
        """
        clearest = score <= np.quantile(score, CLEAREST)
        slips = float(self.pairs_differ[clearest].mean())
        return np.asarray((self.pairs_differ - slips) / (1 - slips))

    def against(self, labels: Ints, votes: int) -> Bools:
        """Whether at least so many of the three give one and the same other class than the label."""
        other = self.counts.copy()
        other[np.arange(len(labels)), labels] = 0
        return np.asarray(other.max(axis=1) >= votes)

    def select(self, rows: Ints) -> "Votes":
        """The votes on some images."""
        return Votes(self.official[rows], self.counts[rows], self.annotators[rows])


def read_votes(path: Path, k: int = 10) -> Votes:
    """The arrays `official` (n,) and `annotators` (n, 3) of an .npz file."""
    with np.load(path, allow_pickle=False) as file:
        official, annotators = file["official"].astype(np.int64), file["annotators"].astype(np.int64)
    counts = (annotators[:, :, None] == np.arange(k)).sum(axis=1)
    return Votes(official, counts, annotators)


def planted_labels(votes: Votes, share: float, *, seed: int) -> Ints:
    """Official labels of which a share is replaced by a wrong label that a person gave this very image.

    So the noise has people's transitions and depends on the image as theirs does.
    """
    rng = np.random.default_rng(seed)
    n = len(votes.official)
    said = votes.annotators[np.arange(n), rng.integers(votes.annotators.shape[1], size=n)]
    wrong = rng.permutation(np.flatnonzero(said != votes.official))[: round(share * n)]
    labels = votes.official.copy()
    labels[wrong] = said[wrong]
    return labels
