"""Everything that defines a training, with units."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from deepsight.core.errors import UsageError

BatchNorm = Literal["frozen", "reestimated", "training"]
Mix = Literal["none", "mixup", "cutmix"]


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
        warmup: share of the steps in which the rate rises.
        label_smoothing: share of the target spread over all classes.
        batch_norm: "frozen" keeps ImageNet's statistics and folds them into the convolutions;
            "reestimated" measures them on the training images first; "training" lets the tail's adapt.
        mix: "none", or "mixup" or "cutmix" of the cached maps.
        mix_alpha: parameter of the Beta distribution of the mixing share.
        class_weights: a weight a class for the loss, mean 1; empty for none.
        hard_share: share of the rows, those with the largest loss so far, that passes after the first
            train on; 1 is all.
        confused: pairs of classes whose rows are drawn `confused_boost` times as often.
        seed: of order, augmentation, mixing and new weights.
    """

    resolution: int = 64
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
    antialias: bool = True
    epochs: float = 2.0
    views: int = 3
    batch: int = 128
    learning_rate: float = 1e-3
    base_ratio: float = 0.7
    weight_decay: float = 0.05
    warmup: float = 0.25
    label_smoothing: float = 0.1
    batch_norm: BatchNorm = "frozen"
    mix: Mix = "none"
    mix_alpha: float = 0.2
    class_weights: tuple[float, ...] = ()
    hard_share: float = 1.0
    confused: tuple[tuple[int, int], ...] = ()
    confused_boost: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive = {
            "epochs": self.epochs, "batch": self.batch, "learning_rate": self.learning_rate,
            "views": self.views, "hard_share": self.hard_share, "mix_alpha": self.mix_alpha,
            "confused_boost": self.confused_boost,
        }  # fmt: skip
        wrong = [f"{name} = {value}" for name, value in positive.items() if value <= 0]
        if wrong or not 0 < self.base_ratio <= 1 or self.hard_share > 1:
            raise UsageError(
                "Expected positive values, with base_ratio and hard_share at most 1, "
                f"received {', '.join(wrong) or self}."
            )

    def describe(self) -> dict[str, Any]:
        """As plain values, for study.yaml and model.json."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the description: the recipe's name."""
        text = json.dumps(self.describe(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
