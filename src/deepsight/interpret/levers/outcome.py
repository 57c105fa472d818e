"""Levers: an intervention that was made, and its effect on each examined image."""

from dataclasses import dataclass

import numpy as np

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.errors import DeepSightError

PLACEBO = "placebo"  # group of the levers that should do nothing


@dataclass(frozen=True)
class ExaminedImages:
    """The test images on which the levers are judged: every error, and a sample of the others.

    Attributes:
        rows: int64 (m,), positions in the test split, ascending.
        labels: int64 (m,), the given labels.
        logits: (m, k), of the examined model.
        weights: (m,), how many test images each one represents: 1 / its inclusion probability.
        n: test images that they represent.
    """

    rows: Ints
    labels: Ints
    logits: Reals
    weights: Floats
    n: int

    def __post_init__(self) -> None:
        m = len(self.rows)
        if self.labels.shape != (m,) or self.weights.shape != (m,) or len(self.logits) != m:
            raise DeepSightError(f"Expected {m} labels, rows of logits and weights, one for each image.")
        if m and not (np.isfinite(self.weights).all() and (self.weights >= 1 - 1e-9).all()):
            raise DeepSightError("Expected weights of at least 1: an image represents at least itself.")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def predicted(self) -> Ints:
        """The class that the examined model predicts, int64 (m,)."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def wrong(self) -> Bools:
        """Which images the examined model gets wrong, bool (m,)."""
        return np.asarray(self.predicted != self.labels)

    @property
    def own_right(self) -> Floats:
        """1 where the examined model is right, else 0: (m,)."""
        return np.where(self.wrong, 0.0, 1.0)

    @property
    def errors(self) -> float:
        """Errors of the model on the whole test split."""
        return float(self.weights[self.wrong].sum())

    def right(self, logits: Reals) -> Floats:
        """1 where these logits (..., m, k) give the label, else 0: (..., m)."""
        return np.asarray(logits.argmax(axis=-1) == self.labels, dtype=np.float64)

    def reweighted(self, places: Ints, scale: Floats) -> "ExaminedImages":
        """Some of these images, each with `scale` times its weight."""
        return ExaminedImages(
            self.rows[places], self.labels[places], self.logits[places], self.weights[places] * scale, self.n
        )

    def select(self, places: Ints) -> "ExaminedImages":
        """Some of these images, with their weights as they are."""
        return self.reweighted(places, np.ones(len(places)))


@dataclass(frozen=True)
class Spread:
    """How much trainings that differ by chance alone differ in accuracy.

    Attributes:
        variance: of the accuracy of a single training.
        freedom: degrees of freedom of that variance; 0 where it is unknown.
    """

    variance: float = 0.0
    freedom: int = 0

    def joined(self, right: Floats, weights: Floats) -> "Spread":
        """This spread pooled with that of replicates (r, m) of one training."""
        accuracy = right @ weights / weights.sum()
        freedom = self.freedom + len(right) - 1
        squares = self.variance * self.freedom + float(((accuracy - accuracy.mean()) ** 2).sum())
        return Spread(squares / max(freedom, 1), freedom)


@dataclass(frozen=True)
class LeverOutcome:
    """What a lever did to the examined images, and what its control did.

    Attributes:
        name: of the lever, short and unique.
        arm: what was done, in words.
        control: what it is compared with, in words.
        examined: the images.
        arm_right: (a, m), 1 where replicate a of the arm is right, 0 where it is wrong; shares are allowed.
        control_right: (c, m), the same for the control.
        advice: what to do about it.
        treatment: name of the treatment whose trial confirms it; empty where there is none.
        group: levers of one group act on the same thing, such as the data or the recipe.
        images: labelled images that the action needs; 0 where it needs none.
        seconds: computing time of the trial.
        paired: whether replicate r of both was trained with the same rows and seed.
        members: (r, m, k) probabilities where the arm averages r trainings: the interval then covers other
            trainings too.
        strength: (m,) in -1 to 1: how clearly the lever changes each image, below 0 for the worse; None takes
            the mean of the arm minus that of the control.
        evidence: a sentence about each image, or empty.
        factor: from the measured effect to that of the action, with its standard error: (1, 0) where the arm
            is the action itself.
        spread: of single trainings, from similar ones; pooled in where replicates are few.
    """

    name: str
    arm: str
    control: str
    examined: ExaminedImages
    arm_right: Floats
    control_right: Floats
    advice: str
    treatment: str = ""
    group: str = ""
    images: int = 0
    seconds: float = 0.0
    paired: bool = False
    members: Floats | None = None
    strength: Floats | None = None
    evidence: tuple[str, ...] = ()
    factor: tuple[float, float] = (1.0, 0.0)
    spread: Spread = Spread()

    def __post_init__(self) -> None:
        m = len(self.examined)
        for which, right in (("arm", self.arm_right), ("control", self.control_right)):
            if right.ndim != 2 or right.shape[1] != m or not len(right):
                raise DeepSightError(
                    f"Expected replicates of the {which} of '{self.name}' as (r, {m}), got {right.shape}."
                )
            if not ((right >= 0) & (right <= 1)).all():
                raise DeepSightError(f"Expected 0 to 1 in the {which} of '{self.name}'.")
        if self.paired and self.arm_right.shape != self.control_right.shape:
            raise DeepSightError(f"Expected as many replicates of arm and control in '{self.name}'.")
        if self.evidence and len(self.evidence) != m:
            raise DeepSightError(f"Expected a sentence for each of {m} images in '{self.name}'.")

    @property
    def strengths(self) -> Floats:
        """How clearly the lever changes each image, (m,), below 0 for the worse."""
        if self.strength is not None:
            return self.strength
        return np.asarray(self.arm_right.mean(axis=0) - self.control_right.mean(axis=0), dtype=np.float64)
