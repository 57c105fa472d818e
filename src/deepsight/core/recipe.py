"""Everything that defines a training, with units."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from deepsight.core.errors import UsageError, near_names

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
BatchNorm = Literal["frozen", "reestimated", "training"]
Mix = Literal["none", "mixup", "cutmix"]
MixOn = Literal["maps", "images"]
Precision = Literal["32-true", "bf16-mixed"]
MOST_SEEDS = 2**32  # the libraries that use a seed take no larger ones
CHOICES = {
    "interpolation": get_args(Interpolation), "batch_norm": get_args(BatchNorm),
    "mix": get_args(Mix), "mix_on": get_args(MixOn), "trained_reductions": (0, 1, 2),
    "precision": get_args(Precision),
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A training; two equal recipes on equal data give equal models on one machine.

    Attributes:
        resolution: side of the network's input, pixels.
        interpolation, antialias: how images are resized to it.
        epochs: passes over the training rows after the frozen phase; a fraction is a part of a pass.
        views: cached versions of each training image: the original, then augmented ones.
        batch: images a step, over all processes together.
        learning_rate: the peak for the head.
        base_ratio: the peak for the fine-tuned stages, as a share of the head's; below 1.
        weight_decay: decoupled, as in AdamW.
        clip_norm: largest norm of a step's gradient; without batch norm, single batches can overshoot.
        warmup: share of the steps in which the rate rises.
        label_smoothing: share of the target spread over all classes.
        averaged: share of the steps that the average of the last weights reaches back, which becomes the
            model; 0 takes the weights of the last step.
        batch_norm: "frozen" keeps ImageNet's statistics and fuses them into the convolutions;
            "reestimated" measures them on the training images first; "training" adapts the trained ones.
        mix: "none", or "mixup" or "cutmix".
        mix_on: "maps" mixes cached maps anew in every step; "images" mixes pixels once for each cached view.
        mix_alpha: parameter of the Beta distribution of the mixing share.
        class_weights: one weight per class for the loss, mean 1; empty for none.
        hard_share: share of the rows of each class, those with the largest loss so far, that later passes
            train on; 1 is all.
        hard_after: passes over all rows before those; at least 1, since no loss is known before.
        confused: pairs of a class and the class that it is taken for; rows of the first are drawn
            `confused_boost` times as often, and where it is rarer than the average, so many times as often as
            those of an average class.
        trained_reductions: how many of the last reductions of the map's side are trained: 2 is stages 3 and 4
            of a ResNet, 1 is stage 4, 0 is the head alone.
        precision: of what is trained on, the cached views and the forward pass of the steps, by Lightning's
            names; whatever is said of validation and test comes from float32.
        seed: of order, augmentation, mixing and new weights; below 2^32.
        view_seed: of the augmented views; None takes `seed`. Trainings that share it share cached views.
    """

    resolution: int = 64
    interpolation: Interpolation = "bicubic"
    antialias: bool = True
    epochs: float = 2.0
    views: int = 3
    batch: int = 128
    learning_rate: float = 1e-3
    base_ratio: float = 0.7
    weight_decay: float = 0.05
    clip_norm: float = 2.0
    warmup: float = 0.25
    label_smoothing: float = 0.1
    averaged: float = 0.0
    batch_norm: BatchNorm = "frozen"
    mix: Mix = "none"
    mix_on: MixOn = "maps"
    mix_alpha: float = 0.2
    class_weights: tuple[float, ...] = ()
    hard_share: float = 1.0
    hard_after: int = 1
    confused: tuple[tuple[int, int], ...] = ()
    confused_boost: float = 1.0
    trained_reductions: int = 2
    precision: Precision = "32-true"
    seed: int = 0
    view_seed: int | None = None

    def __post_init__(self) -> None:
        positive = {
            "epochs": self.epochs, "batch": self.batch, "learning_rate": self.learning_rate,
            "views": self.views, "hard_share": self.hard_share, "mix_alpha": self.mix_alpha,
            "confused_boost": self.confused_boost, "hard_after": self.hard_after, "clip_norm": self.clip_norm,
        }  # fmt: skip
        shares = {
            "base_ratio": self.base_ratio, "hard_share": self.hard_share, "warmup": self.warmup,
            "label_smoothing": self.label_smoothing, "averaged": self.averaged,
        }  # fmt: skip
        wrong = [f"{name} = {value}" for name, value in positive.items() if not 0 < value < math.inf]
        wrong += [f"{name} = {value}" for name, value in shares.items() if not 0 <= value <= 1]
        if wrong or self.base_ratio == 0 or not 0 <= self.weight_decay < math.inf:
            raise UsageError(
                "Expected positive values, with base_ratio, hard_share, warmup, label_smoothing "
                f"and averaged at most 1, received {', '.join(wrong) or self}."
            )
        seeds = [seed for seed in (self.seed, self.view_seed) if seed is not None]
        if not all(0 <= seed < MOST_SEEDS for seed in seeds):
            raise UsageError(f"Expected seeds from 0 to {MOST_SEEDS - 1:,}, received {seeds}.")
        self._require_named_choices()

    def _require_named_choices(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                known = [str(choice) for choice in choices]
                raise UsageError(f"Unknown {name} '{value}': {near_names(str(value), known)}")

    @property
    def mixes_images(self) -> bool:
        """Whether pixels are mixed, once for each cached view."""
        return self.mix != "none" and self.mix_on == "images"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for study.yaml and model.json."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the description: the recipe's name."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
