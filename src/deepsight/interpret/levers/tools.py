"""What levers need from the training code: retrainings, and facts about the training images."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from deepsight.core.array_types import Bools, Floats32, Ints, Pixels, Reals
from deepsight.core.open_model import Predict


@dataclass(frozen=True)
class Retraining:
    """A training that a lever asks for.

    Attributes:
        rows: int64 (r,), positions in the training split followed by the rows that the plan left unused; a
            row may occur several times.
        seed: of order and batches.
        part: "last stage" retrains that stage on the trained model's maps before it; "recipe" trains the
            same stages as the model's recipe, from the same pretrained weights.
        passes: over the rows, relative to the recipe's.
        resolution: side of the input in pixels; 0 keeps the model's.
        backbone: a timm name; empty keeps the model's.
        labels: int64 (r,), other labels for the rows, or None.
        pixels: uint8 (r, h, w, 3), other images for the rows, or None.
    """

    rows: Ints
    seed: int
    part: str = "last stage"
    passes: float = 1.0
    resolution: int = 0
    backbone: str = ""
    labels: Ints | None = field(default=None)
    pixels: Pixels | None = field(default=None)

    def in_order(self) -> "Retraining":
        """The same rows in ascending order, so that the order of a file does not change the training.

        Where every row occurs equally often, such as in a file that was appended to itself, each is kept
        once with as many more passes.
        """
        order = np.argsort(self.rows, kind="stable")
        unique, counts = np.unique(self.rows, return_counts=True)
        times = int(np.gcd.reduce(counts)) if len(counts) else 1
        if times > 1 and self.labels is None and self.pixels is None:
            return replace(self, rows=np.repeat(unique, counts // times), passes=self.passes * times)
        return replace(
            self,
            rows=self.rows[order],
            labels=None if self.labels is None else self.labels[order],
            pixels=None if self.pixels is None else self.pixels[order],
        )


Retrain = Callable[[Retraining], Reals]  # trains, and returns the logits (m, k) of the examined images
LAST_STAGE = "the last stage"
HEAD = "a linear head on the model's features"


@dataclass(frozen=True)
class LeverTools:
    """What the levers need from the training code.

    Attributes:
        predict: images to the model's logits.
        retrainer: positions of test images to a function that trains and returns their logits; None where
            nothing can be trained.
        features: the model's pooled features (r, d) of training rows at these positions.
        train_labels: int64 (n,), of the model's training rows.
        train_ids: int64 (n,).
        flagged: bool (n,), training labels that are flagged as wrong.
        resolution: side of the model's input in pixels; 0 where the recipe cannot be changed.
        deeper: timm name of the next deeper backbone; empty where there is none.
        deeper_cost: time of a step with it, relative to the model's own backbone.
        unused: number of labelled training images that the plan left out.
        trained: what a retraining trains, in words.
        enlarge: images (m, h, w, 3) to the input size of the network, uint8; None where it is not known.
    """

    predict: Predict
    retrainer: Callable[[Ints], Retrain] | None = None
    features: Callable[[Ints], Floats32] | None = None
    train_labels: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    train_ids: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    flagged: Bools = field(default_factory=lambda: np.empty(0, np.bool_))
    resolution: int = 0
    deeper: str = ""
    deeper_cost: float = 1.0
    unused: int = 0
    trained: str = LAST_STAGE
    enlarge: Callable[[Pixels], Pixels] | None = None
