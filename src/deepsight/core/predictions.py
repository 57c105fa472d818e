"""A model's outputs for the images of a split: all that a diagnosis needs of the model."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import write_npz
from deepsight.core.files.scratch import scratch_array

BLOCK = 8192  # rows at a time where (n, k) numbers would fill the memory


def softmax(logits: Reals) -> Floats:
    """Probabilities, float64 (n, k), of logits of any float type; each row sums to 1."""
    shifted = np.array(logits, dtype=np.float64)  # in place from here on: it can take most of the memory
    shifted -= shifted.max(axis=1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=1, keepdims=True)
    return shifted


def largest_probabilities(logits: Reals, temperature: float = 1.0) -> Floats:
    """The probability of the most likely class of each row (n,), after dividing logits by a temperature."""
    starts = range(0, len(logits), BLOCK)
    blocks = [softmax(logits[start : start + BLOCK] / temperature).max(axis=1) for start in starts]
    return np.concatenate([np.empty(0), *blocks])


@dataclass(frozen=True)
class Predictions:
    """The outputs of a model on n images with k classes and d pooled features.

    Attributes:
        ids: int64 (n,), the rows of the images in the official order of their split.
        labels: int64 (n,), the given labels.
        logits: float32 (n, k), unnormalised log-probabilities, finite.
        features: float16 or float32 (n, d), the pooled features before the head; d may be 0.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    features: NDArray[np.floating]

    def __post_init__(self) -> None:
        n = len(self.ids)
        shapes = {"labels": self.labels.shape, "logits": self.logits.shape, "features": self.features.shape}
        if self.labels.shape != (n,) or self.logits.ndim != 2 or self.features.ndim != 2:
            raise DeepSightError(
                f"Expected labels (n,), logits (n, k) and features (n, d) with n = {n}, received {shapes}."
            )
        if len(self.logits) != n or len(self.features) != n:
            raise DeepSightError(f"Expected {n} rows in every array, received {shapes}.")
        if not np.isfinite(self.logits).all():
            bad = int((~np.isfinite(self.logits).all(axis=1)).sum())
            raise DeepSightError(f"Expected finite logits, received {bad} of {n} rows with NaN or infinity.")
        if n and not (self.labels.min() >= 0 and self.labels.max() < self.k):
            raise DeepSightError(
                f"Expected labels from 0 to {self.k - 1}, "
                f"received {self.labels.min()} to {self.labels.max()}."
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def k(self) -> int:
        """The number of classes."""
        return int(self.logits.shape[1])

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the largest logit, int64 (n,)."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits, float64 (n, k); each row sums to 1. It is computed on each access."""
        return softmax(self.logits)

    def save(self, path: str | Path) -> None:
        """Write `predictions/*.npz` of the run folder: logits as float32, features as in `as_stored`."""
        kept = self.as_stored()
        write_npz(Path(path), ids=kept.ids, labels=kept.labels, logits=kept.logits, features=kept.features)

    def as_stored(self) -> "Predictions":
        """What `load` returns after `save`: float32 logits, float16 features unless a value is too large."""
        logits, features, largest = self.logits.astype(np.float32), self.features, np.finfo(np.float16).max
        if -largest <= features.min(initial=0) and features.max(initial=0) <= largest:
            halves = scratch_array(features.shape, np.float16)  # features can be most of the memory
            np.copyto(halves, features, casting="same_kind")
            features = halves
        return Predictions(self.ids, self.labels, logits, features)

    @staticmethod
    def load(path: str | Path) -> "Predictions":
        """Read what `save` wrote.

        Raises:
            ValueError: an array has the wrong type, or their shapes or values do not fit together.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in ("ids", "labels", "logits", "features")]
        if any(
            array.dtype.kind not in kinds for array, kinds in zip(arrays, ("iu", "iu", "f", "f"), strict=True)
        ):
            raise ValueError(
                "it should hold whole numbers as ids and labels, and numbers as logits and features"
            )
        try:
            return Predictions(*arrays)
        except DeepSightError as error:  # the caller adds what to do
            raise ValueError(str(error)) from error
