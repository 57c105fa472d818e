"""From the doubt of models to how often people differ, by what votes on other images showed."""

import numpy as np

from deepsight.core.array_types import Floats

# Two people differ on HIGHEST * score ** POWER of the images with this score of `ambiguity`. Read off
# the votes of three annotators on training images of CIFAR-10 (CIFAR-10N), beyond the slips that they made on
# the clearest fifth too, binned by a close relative of the score; benchmarks/people measures how it holds.
HIGHEST, POWER = 0.35, 0.42


# Share of right labels that the sources would not give, up to which their doubt is about that of people;
# beyond, it is also what they do not know.
IGNORANCE = 0.13


def two_people_differ(score: Floats, unexplained: float = 0.0) -> Floats:
    """The probability (n,) that two careful people give different answers, from the score of ambiguity.

    Careful people slip on no clear image. A crowd that does differs more often everywhere: see
    docs/methods/ambiguity.md.

    Args:
        score: (n,), of the images.
        unexplained: share of the labels that the sources would not give and that are not held to be wrong.
            Above IGNORANCE the probabilities shrink in proportion: weak sources doubt what people do not.
    """
    shrunk = min(1.0, IGNORANCE / max(unexplained, IGNORANCE))
    return np.asarray(shrunk * HIGHEST * np.clip(score, 0, 1) ** POWER)
