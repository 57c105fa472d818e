"""The recipe of a training: every setting that defines it, with units."""

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
PassPrecision = Literal["32-true", "bf16-mixed"]  # of passes that only go forward
Precision = Literal[PassPrecision, "bf16-steps"]  # of training steps
MOST_SEEDS = 2**32  # NumPy's legacy generator, which libraries seed, accepts no larger seed
CHOICES = {
    "interpolation": get_args(Interpolation), "batch_norm": get_args(BatchNorm),
    "mix": get_args(Mix), "mix_on": get_args(MixOn), "trained_reductions": (0, 1, 2),
    "precision": get_args(Precision),
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A training. Equal recipes on equal data give equal models on one machine.

    Attributes:
        resolution: side of the network's input, in pixels.
        interpolation, antialias: how images are resized to it.
        epochs: passes over the training rows after the frozen phase; may be fractional.
        views: cached versions of each training image: the original, then augmented ones.
        batch: images per step, over all processes together.
        learning_rate: peak rate of the head.
        base_ratio: peak rate of the fine-tuned stages, as a share of the head's; above 0 and at most 1.
        weight_decay: decoupled, as in AdamW.
        clip_norm: maximum gradient norm of a step; without batch norm, single batches can overshoot.
        warmup: share of the steps in which the rate rises.
        label_smoothing: share of the target that is spread over all classes.
        averaged: share of the steps that the exponential average of the weights reaches back; the average
            becomes the model. 0 keeps the weights of the last step.
        batch_norm: "frozen" keeps ImageNet's statistics and fuses them into the convolutions; "reestimated"
            first measures them on the training images; "training" adapts those of the trained stages.
        mix: "none", "mixup" or "cutmix".
        mix_on: "maps" mixes cached maps in every step; "images" mixes pixels once per cached view.
        mix_alpha: parameter of the Beta distribution of the mixing share.
        class_weights: one loss weight per class, with mean 1; empty for none.
        hard_share: share of the rows of each class, those with the largest loss so far, that later passes
            train on; 1 is all.
        hard_after: passes over all rows before that; at least 1, since no loss is known before.
        confused: pairs of a class and the class that it is confused with. Rows of the first are drawn
            `confused_boost` times as often; if it is rarer than the average class, they are first weighted up
            to that average.
        trained_reductions: how many of the last reductions of the map's side are trained: 2 is stages 3 and 4
            of a ResNet, 1 is stage 4, 0 is the head alone.
        precision: of training steps. "32-true" is float32 and "bf16-mixed" is autocast to bfloat16, also for
            the cached views (Lightning's names); "bf16-steps" is the same with views in float32. Validation
            and test always use float32.
        seed: random seed of order, augmentation, mixing and new weights; below 2^32.
        view_seed: random seed of the augmented views; None uses `seed`. Trainings that share it share cached
            views.

    Raises:
        UsageError: a value is out of its range or unknown.
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

    @property
    def view_precision(self) -> PassPrecision:
        """The precision of the cached views."""
        return "bf16-mixed" if self.precision == "bf16-mixed" else "32-true"

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
        """Whether pixels are mixed, once per cached view."""
        return self.mix != "none" and self.mix_on == "images"

    def to_dict(self) -> dict[str, Any]:
        """Its plain values, for study.yaml and model.json."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of its values, which identify the recipe."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
