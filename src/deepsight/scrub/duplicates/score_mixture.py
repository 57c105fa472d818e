"""How sure is a score? Two components in the scores themselves: look-alikes and near-duplicates."""

from dataclasses import dataclass

import numpy as np

from deepsight.core.array_types import Floats

FLOOR = 0.2  # scores below are look-alikes beyond doubt and say nothing about the tail above
# What scores look like before any is seen, worth PRIOR_WEIGHT of each kind, so that few pairs, or none
# of one kind, still have an answer. Rate and power are those of CIFAR-10's test set.
PRIOR_RATE, PRIOR_POWER, PRIOR_SHARE, PRIOR_WEIGHT = 10.0, 4.0, 0.05, 20.0
ROUNDS = 200  # of EM; it has settled to four digits after 50


@dataclass(frozen=True)
class Mixture:
    """Scores above `FLOOR`, moved to x in [0, 1]: look-alikes and near-duplicates.

    Look-alikes fall off as exp(-rate x), near-duplicates rise as x^(power - 1); `share` is the share of the
    latter.
    Both families have one parameter and a closed-form estimate, and their ratio rises with x, so that a
    higher score is always the surer one.
    """

    rate: float
    power: float
    share: float

    def probability(self, scores: Floats) -> Floats:
        """That a pair with this score is a near-duplicate, in [0, 1]."""
        x = np.clip((scores - FLOOR) / (1 - FLOOR), 1e-6, 1)
        same = self.share * self.power * x ** (self.power - 1)
        alike = (1 - self.share) * self.rate * np.exp(-self.rate * x) / -np.expm1(-self.rate)
        return np.asarray(same / (same + alike))


def fit_mixture(scores: Floats) -> Mixture:
    """The mixture that fits these scores best, by expectation and maximisation (Dempster et al. 1977)."""
    x = np.clip((scores[scores > FLOOR] - FLOOR) / (1 - FLOOR), 1e-6, 1)
    mixture = Mixture(PRIOR_RATE, PRIOR_POWER, PRIOR_SHARE)
    for _ in range(ROUNDS):
        same = mixture.probability(FLOOR + x * (1 - FLOOR))
        alike = 1 - same
        mixture = Mixture(
            rate=(alike.sum() + PRIOR_WEIGHT) / (alike @ x + PRIOR_WEIGHT / PRIOR_RATE),
            power=max(1.0, (same.sum() + PRIOR_WEIGHT) / (same @ -np.log(x) + PRIOR_WEIGHT / PRIOR_POWER)),
            share=(same.sum() + PRIOR_SHARE * PRIOR_WEIGHT) / (len(x) + PRIOR_WEIGHT),
        )
    return mixture
