"""From scores to probabilities: look-alikes and near-duplicates as two components of the scores' mixture."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gamma
from scipy.stats import norm

from deepsight.core.array_types import Floats, Ints

FLOORS = (0.1, 0.95)  # limits of the score from which look-alikes are modelled
CEILING = 0.9993  # higher scores count as this one, since Fisher's scale is unbounded
GRID = np.linspace(0, float(np.arctanh(CEILING)), 2001)
SHAPES = (1.0, 1.5, 2.0)  # of the decay of look-alikes: exponential, in between, half-normal
# The prior, worth PRIOR_WEIGHT pairs: the length over which look-alikes decay, mean and spread of
# near-duplicates (all three on Fisher's scale), and the share of near-duplicates.
PRIOR_LENGTH, PRIOR_MEAN, PRIOR_SPREAD, PRIOR_SHARE, PRIOR_WEIGHT = 0.125, 0.95, 0.3, 0.05, 20.0
LEAST_SPREAD = 0.1  # of near-duplicates, so that a few equal scores do not become a component
RARE = 0.02  # for two components at most this share of look-alikes is above the near-duplicates' mean
PARAMETERS = 3  # that the second component adds, for the Bayesian information criterion
ROUNDS = 100  # of EM; four digits are stable after 50
TINY = 1e-300


@dataclass(frozen=True)
class Mixture:
    """Scores above a floor on Fisher's scale: decaying look-alikes and normally distributed near-duplicates.

    Attributes:
        floor: score below which the probability is 0, in [0, 1).
        length, shape: the density of look-alikes at a distance x above the floor decays as
            exp(-(x / length)^shape).
        mean, spread: centre and standard deviation of near-duplicates.
        share: of near-duplicates among the scores above the floor, in (0, 1).
        separate: whether the scores show two components; if not, `share` amounts to a single pair.
    """

    floor: float
    length: float
    shape: float
    mean: float
    spread: float
    share: float
    separate: bool = False

    def probability(self, scores: Floats) -> Floats:
        """Probability that a pair with this score shows one picture, non-decreasing in the score."""
        same, alike = self.densities(GRID)
        rising = np.maximum.accumulate(same / (same + alike + TINY))
        return np.where(scores > self.floor, np.interp(fisher(scores), GRID, rising), 0.0)

    def densities(self, z: Floats) -> tuple[Floats, Floats]:
        """Densities of near-duplicates and look-alikes, weighted by their shares, on Fisher's scale."""
        start = float(fisher(self.floor))
        above = max(float(norm.sf(start, self.mean, self.spread)), 1e-6)
        same = np.where(z >= start, self.share * norm.pdf(z, self.mean, self.spread) / above, 0.0)
        height = (1 - self.share) * self.shape / (self.length * gamma(1 / self.shape))
        return same, height * np.exp(-(((np.maximum(z, start) - start) / self.length) ** self.shape))

    def look_alikes_beyond_mean(self) -> float:
        """Share of the look-alikes that score higher than the mean of near-duplicates."""
        beyond = self.mean <= GRID
        alike = replace(self, share=0.0).densities(GRID)[1]
        return float(alike[beyond].sum() * (GRID[1] - GRID[0]))


def fisher(scores: Floats | float) -> Floats:
    """Scores on Fisher's scale (the inverse hyperbolic tangent), which separates scores near 1."""
    return np.asarray(np.arctanh(np.clip(scores, 0, CEILING)), dtype=np.float64)


def look_alike_floor(i: Ints, j: Ints, scores: Floats) -> float:
    """The mode of the scores of matched negatives: pairs that are the best match of neither image.

    They come from the same images by the same search, but since each image has a better match, few of them
    are copies. Above their mode the density of look-alikes decays, whatever the images are.

    Args:
        i, j: int64 (p,), the images of each pair.
        scores: float64 (p,), in [0, 1].
    """
    best = np.zeros(int(max(i.max(initial=-1), j.max(initial=-1))) + 1)
    np.maximum.at(best, i, scores)
    np.maximum.at(best, j, scores)
    negatives = scores[(scores < best[i]) & (scores < best[j])]
    return float(np.clip(half_sample_mode(negatives), *FLOORS))


def half_sample_mode(values: Floats) -> float:
    """The half-sample mode (Bickel & Frühwirth 2006); 0 for an empty sample."""
    values = np.sort(values)
    while len(values) > 2:
        half = (len(values) + 1) // 2
        start = int(np.argmin(values[half - 1 :] - values[: len(values) - half + 1]))
        values = values[start : start + half]
    return float(values.mean()) if len(values) else 0.0


def fit_mixture(scores: Floats, floor: float = FLOORS[0]) -> Mixture:
    """The mixture fitted to the scores above the floor, with one component if there is no second.

    There are two components if they describe the scores better than one by the Bayesian information
    criterion, and if the second is where look-alikes are rare. Otherwise near-duplicates are assumed to
    follow the prior and to be a single pair, so that only scores beyond all look-alikes are flagged.

    Args:
        scores: float64 (p,), in [0, 1].
        floor: from `look_alike_floor`.
    """
    z = fisher(scores[scores > floor])
    one = max(
        (one_component(z, floor, shape) for shape in SHAPES), key=lambda found: log_likelihood(z, found)
    )
    two = max(
        (two_components(z, floor, shape) for shape in SHAPES), key=lambda found: log_likelihood(z, found)
    )
    gain = 2 * (log_likelihood(z, two) - log_likelihood(z, one))
    if gain > PARAMETERS * np.log(len(z) + PRIOR_WEIGHT) and two.look_alikes_beyond_mean() < RARE:
        return replace(two, separate=True)
    return replace(one, share=1 / (len(z) + PRIOR_WEIGHT))


def prior_mixture(floor: float, shape: float) -> Mixture:
    """The mixture assumed before any scores are known."""
    mean = max(PRIOR_MEAN, float(fisher(floor)) + 4 * PRIOR_LENGTH)
    return Mixture(floor, PRIOR_LENGTH, shape, mean, PRIOR_SPREAD, PRIOR_SHARE)


def one_component(z: Floats, floor: float, shape: float) -> Mixture:
    """Look-alikes alone, fitted to scores on Fisher's scale above the floor."""
    length = fall_off(z - float(fisher(floor)), np.ones(len(z)), shape)
    return replace(prior_mixture(floor, shape), length=length, share=0.0)


def two_components(z: Floats, floor: float, shape: float) -> Mixture:
    """Both components by expectation maximisation (Dempster et al. 1977) with a weak prior."""
    prior = found = prior_mixture(floor, shape)
    start, copies = float(fisher(floor)), PRIOR_WEIGHT * PRIOR_SHARE
    for _ in range(ROUNDS):
        same, alike = found.densities(z)
        near = same / (same + alike + TINY)
        total = near.sum() + copies
        mean = float((near @ z + copies * prior.mean) / total)
        variance = near @ (z - mean) ** 2 + copies * (PRIOR_SPREAD**2 + (prior.mean - mean) ** 2)
        found = replace(
            found,
            length=fall_off(z - start, 1 - near, shape),
            mean=mean,
            spread=float(max(np.sqrt(variance / total), LEAST_SPREAD)),
            share=float(total / (len(z) + PRIOR_WEIGHT)),
        )
    return found


def fall_off(x: Floats, weight: Floats, shape: float) -> float:
    """The length over which look-alikes decay, from their distances above the floor."""
    moment = weight @ x**shape + PRIOR_WEIGHT * PRIOR_LENGTH**shape / shape
    return float((shape * moment / (weight.sum() + PRIOR_WEIGHT)) ** (1 / shape))


def log_likelihood(z: Floats, mixture: Mixture) -> float:
    """Log-likelihood of scores on Fisher's scale above the floor, with the prior's look-alikes added."""
    same, alike = mixture.densities(z)
    height = (1 - mixture.share) * mixture.shape / (mixture.length * gamma(1 / mixture.shape))
    expected = np.log(height) - (PRIOR_LENGTH / mixture.length) ** mixture.shape / mixture.shape
    return float(np.log(same + alike + TINY).sum() + PRIOR_WEIGHT * expected)
