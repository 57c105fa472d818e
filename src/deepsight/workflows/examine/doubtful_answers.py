"""What a reader must know of a foreign model's answers: chance, randomness, an unusual scale."""

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.statistics.score_direction import most_by_guessing
from deepsight.model.foreign.foreign_model import class_scores
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import OutputReading

FEW = 6  # images that are asked again
CHANGE = 0.02  # of the largest output: more is no rounding
LEAST = 30  # images below which chance is too wide to say anything


def unsteady(network: Network, inputs: Tensor) -> str:
    """A sentence where a model answers the same images in different ways; nothing where it does not."""
    try:
        with torch.no_grad():
            first, again = (class_scores(network, inputs.clone()).float() for _ in range(2))
            alone = [class_scores(network, one[None].clone()).float() for one in inputs]
    except DeepSightError:  # it takes no single image, or changed its mind
        return ""
    limit = CHANGE * float(first.abs().max())
    if float((first - again).abs().max()) > limit:
        return (
            "The model answers the same images differently when it is asked again: something in it is "
            "random, such as dropout that stays on. The findings are those of one draw."
        )
    if float((first - torch.cat(alone)).abs().max()) > limit:
        return (
            "The answers to an image depend on the others in its batch, as with batch norm that keeps no "
            "averages. The findings hold for batches as they were asked here."
        )
    return ""


def unusual_outputs(reading: OutputReading) -> str:
    """A sentence where outputs are read in a way that a person may not expect."""
    if reading.kind != "independent probabilities":
        return ""
    return (
        "The outputs lie between 0 and 1 and do not sum to 1, so they are read as a probability for each "
        "class by itself (a sigmoid). If they are logits, the confidence of the model is wrong here."
    )


def no_better_than_chance(answers: Ints, sample: Dataset) -> str:
    """A sentence where a model is right no more often than guessing is."""
    n = len(sample)
    right = float((answers == sample.labels).mean())
    if n < LEAST or right > most_by_guessing(sample.labels):
        return ""
    same = " It gives all of them the same class." if len(np.unique(answers)) == 1 else ""
    return (
        f"The model is right on {right:.0%} of {n} images, no more than guessing gives.{same} Check that "
        "its weights were loaded, how it wants its images (--preprocess), and the order of its classes "
        "(--classes)."
    )
