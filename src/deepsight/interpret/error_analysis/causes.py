"""The ledger: how probable each cause is for each test error (docs/methods/ledger.md).

The shares of the causes, with their intervals, are in `cause_shares.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table

SUPPORTED = 0.5  # a cause is named when it is more likely than not

# Detectors in order of precedence: faults of the data before faults of the model, and causes in one image
# before those in a pair of classes.
CAUSES = {
    "twins": "conflicting labels of one picture",
    "label_error": "label error",
    "ambiguity": "ambiguous image",
    "degraded": "degraded image",
    "background": "background reliance",
    "pairs": "confusable pair",
}
PLAIN = "model error"

REASONS = {
    "twins": "a near-duplicate in another split carries another label, so one of the two is wrong",
    "label_error": "the given label {true} looks wrong",
    "ambiguity": "people are likely to disagree about this image",
    "degraded": "dark, glaring, flat, blurred or noisy for its class, which doubles the risk of an error",
    "background": "other backgrounds fix it, more often than small changes of brightness do (control)",
    "pairs": "{true} is taken for {predicted} more often than chance explains",
}
LEAK_KEPT = (
    "a near-duplicate with another label is in the training set: the model was taught the other answer"
)


@dataclass(frozen=True)
class Detectors:
    """How strongly each cause is supported for each of n test images; None where it was not examined.

    Every array is (n,) in [0, 1], on the scale of a probability; NaN marks an image that the detector could
    not examine, such as one without a usable mask.

    Attributes:
        twins: that a near-duplicate in another split carries a conflicting label.
        label_error: that the given label is wrong.
        ambiguity: that two careful people give different answers.
        degraded: that the error would not have been made, had the image been of usual quality.
        background: that the prediction changes when background evidence is removed or swapped.
        pairs: that the error belongs to a flagged pair of classes, from `pair_support`.
        leaks_kept: whether near-duplicates of test images stayed in the training set.
    """

    twins: Floats | None = None
    label_error: Floats | None = None
    ambiguity: Floats | None = None
    degraded: Floats | None = None
    background: Floats | None = None
    pairs: Floats | None = None
    leaks_kept: bool = False

    def __post_init__(self) -> None:
        lengths = {name: len(support) for name, support in self.present().items()}
        if len(set(lengths.values())) > 1:
            raise DeepSightError(f"Expected one support for each test image, received {lengths}.")
        for name, support in self.present().items():
            if not ((support >= 0) & (support <= 1) | np.isnan(support)).all():
                raise DeepSightError(
                    f"Expected support for '{CAUSES[name]}' in 0 to 1 or NaN, "
                    f"received {np.nanmin(support):g} to {np.nanmax(support):g}."
                )

    def require_length(self, n: int) -> None:
        """Refuse supports for any other number of images than n."""
        if any(len(support) != n for support in self.present().values()):
            raise DeepSightError(f"Expected supports for {n} test images, received another number.")

    def present(self) -> dict[str, Floats]:
        """The supports of the detectors that were run, in the order of precedence."""
        held = {field.name: getattr(self, field.name) for field in fields(self) if field.name in CAUSES}
        return {name: held[name] for name in CAUSES if held[name] is not None}


def pair_support(labels: Ints, predicted: Ints, classes: Sequence[str], pairs: pl.DataFrame) -> Floats:
    """The share of each error's pair that chance does not explain, 1 - expected / rate, (n,).

    It is 0 for correct images and for pairs that are not flagged.

    Args:
        pairs: the frame of the evidence table `confusion_pairs`.
    """
    place = {name: i for i, name in enumerate(classes)}
    excess = np.zeros((len(classes), len(classes)))
    for true, other, rate, expected in (
        pairs.filter("flagged").select("true", "predicted", "rate", "expected").rows()
    ):
        excess[place[true], place[other]] = max(0.0, 1 - expected / rate)
    return np.asarray(excess[labels, predicted], dtype=np.float64)


def ledger_table(
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    ids: NDArray[np.int64],
    detectors: Detectors,
) -> Table:
    """One row per misclassified image: evidence table `ledger`.

    The cause that is named is the first in the order of `CAUSES` whose support is at least 0.5; where none
    is, the cause is a plain model error, and its support is 1 minus the largest support of any other. `parts`
    says how the error is divided among all causes (`divided`).

    Args:
        labels, predicted: int64 (n,), positions in `classes`.
        ids: int64 (n,), rows in the official order of the split.
        detectors: supports for the same n images.

    Raises:
        DeepSightError: the supports are for another number of images.
    """
    present = detectors.present()
    detectors.require_length(len(labels))
    errors = np.flatnonzero(labels != predicted)
    names = np.asarray(classes)
    true, other = names[labels[errors]].tolist(), names[predicted[errors]].tolist()
    support = np.array([values[errors] for values in present.values()]).reshape(len(present), len(errors))
    cause, strength = decide(support)
    keys = [*present, None]
    texts = [
        cause_and_reason(keys[c], t, p, leaks_kept=detectors.leaks_kept)
        for c, t, p in zip(cause, true, other, strict=True)
    ]
    frame = pl.DataFrame(
        {
            "index": ids[errors],
            "true": true,
            "predicted": other,
            "cause": [text[0] for text in texts],
            "support": strength,
            "because": [text[1] for text in texts],
            "parts": divided(support, list(present)),
            "not_examined": unexamined(support, list(present)),
        },
        schema_overrides=TYPES,
    )
    return Table(
        frame=frame,
        units=UNITS,
        n=len(errors),
        method="Named: the first cause in a fixed order ("
        + ", ".join(CAUSES.values())
        + f") with a support of at least {SUPPORTED:g}. Parts: the support, times what earlier causes leave.",
        caption=f"Each of {len(errors):,} errors in {len(labels):,} test images with its cause.",
    )


UNITS = {
    "index": "row in the official order of the split",
    "true": "class name",
    "predicted": "class name",
    "cause": "one of the causes of the ledger",
    "support": "0 to 1",
    "because": "reason in words",
    "parts": "probability of each cause in the order of the ledger, a plain model error last; null from "
    "the first cause on that could not be examined in this image",
    "not_examined": "causes that could not be examined in this image",
}

TYPES: dict[str, Any] = {
    **dict.fromkeys(("true", "predicted", "cause", "because"), pl.String),
    "parts": pl.List(pl.Float64),
    "not_examined": pl.List(pl.String),
}


def decide(support: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The place of the first supported cause and its support, both (e,), from supports (c, e).

    The place after the last cause denotes a plain model error.
    """
    known = np.nan_to_num(support, nan=0.0)
    plain = 1 - known.max(axis=0, initial=0.0)
    taken = np.vstack([known >= SUPPORTED, np.ones((1, support.shape[1]), dtype=bool)])
    cause = taken.argmax(axis=0)
    strength = np.vstack([known, plain])[cause, np.arange(support.shape[1])]
    return cause.astype(np.int64), np.asarray(strength, dtype=np.float64)


def divided(support: Floats, present: Sequence[str]) -> list[list[float | None]]:
    """The probability of each cause for each error, in the order of `CAUSES`; a plain model error is last.

    Each cause takes its support of what the causes before it leave, so the parts sum to 1. A cause without a
    detector takes nothing. Where a detector could not examine an image, its part and all later ones are
    unknown.

    Args:
        support: (c, e), by the detectors that were run; NaN where one could not examine an image.
        present: their c names.
    """
    rows = {name: support[place] for place, name in enumerate(present)}
    left = np.ones(support.shape[1])
    parts = []
    for name in CAUSES:
        of_cause = rows.get(name, np.zeros_like(left))
        parts.append(left * of_cause)
        left = left * (1 - of_cause)
    table = np.stack([*parts, left], axis=1)
    return [[None if np.isnan(part) else float(part) for part in row] for row in table]


def cause_and_reason(
    detector: str | None, true: str, predicted: str, *, leaks_kept: bool = False
) -> tuple[str, str]:
    """The cause and the reason in words."""
    if detector is None:
        return PLAIN, "no other cause is more likely than not"
    reason = LEAK_KEPT if detector == "twins" and leaks_kept else REASONS[detector]
    return CAUSES[detector], reason.format(true=true, predicted=predicted)


def unexamined(support: Floats, present: Sequence[str]) -> list[list[str]]:
    """For each error the causes without a detector, or whose detector could not examine the image."""
    absent = [cause for name, cause in CAUSES.items() if name not in present]
    blind = np.isnan(support)
    return [
        absent + [CAUSES[name] for name, unseen in zip(present, column, strict=True) if unseen]
        for column in blind.T
    ]
