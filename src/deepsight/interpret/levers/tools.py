"""What levers ask of the maker of a model: trainings, and what is known of the training images."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from deepsight.core.array_types import Bools, Floats32, Ints, Pixels, Reals
from deepsight.core.open_model import Predict


@dataclass(frozen=True)
class Retraining:
    """A training that a lever asks for.

    Attributes:
        rows: int64 (r,), positions in the training split, after it in the rows that the plan left unused; a
            row may stand there several times.
        seed: of order and batches.
        part: "last stage" trains that stage anew on the trained model's maps before it; "recipe" trains what
            the model's recipe trains, from the same pretrained weights.
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
        """The same rows in their own order, so that the order of a file changes no training.

        Where every row stands there equally often, such as in a file that was appended to itself, each is
        kept once, with as many passes more: copies carry nothing new.
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


# Trains, and gives the logits (m, k) of the examined images.
Retrain = Callable[[Retraining], Reals]


LAST_STAGE = "the last stage"
HEAD = "a linear head on the model's features"


@dataclass(frozen=True)
class LeverTools:
    """What the levers need of the model's maker; everything arrives as an argument.

    Attributes:
        predict: images to the model's logits.
        retrainer: for the test images at these positions, what trains and gives their logits; None where
            nothing can be trained.
        features: the model's pooled features (r, d) of training rows at these positions.
        train_labels: int64 (n,), of the model's training rows.
        train_ids: int64 (n,).
        flagged: bool (n,), training labels that are flagged as wrong.
        resolution: side of the model's input in pixels; 0 where the recipe cannot be changed.
        deeper: timm name of the next deeper backbone; empty where there is none.
        deeper_cost: time of a step with it, relative to the model's own backbone.
        unused: labelled training images that the plan left out.
        trained: what a retraining trains, in words.
        enlarge: images (m, h, w, 3) at the size that the network takes, uint8; None where it is not known.
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
