"""Every test error gets one cause, and the causes sum to all errors (docs/methods/ledger.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.statistics import wilson

SUPPORTED = 0.5  # a cause is taken when it is more likely than not

# Detectors in their order of precedence: faults of the data before faults of the model, and what is known
# of one image before what is known of a pair of classes.
CAUSES = {
    "twins": "leaked twin",
    "label_error": "label error",
    "ambiguity": "ambiguous image",
    "degraded": "degraded image",
    "background": "background reliance",
    "pairs": "confusable pair",
}
PLAIN = "model error"

REASONS = {
    "twins": "a twin in another split carries another label",
    "label_error": "the given label {true} looks wrong",
    "ambiguity": "every source by itself is unsure: people may split over this image",
    "degraded": "dark, glaring, flat, blurred or noisy for its class, which doubles the risk of an error",
    "background": "the prediction changes with the background",
    "pairs": "{true} is taken for {predicted} more often than chance explains",
}


@dataclass(frozen=True)
class Detectors:
    """How strongly each cause is supported for each of n test images; None where nobody looked.

    Every array is (n,) in [0, 1] and on the scale of a probability; NaN marks an image that the detector
    could not examine, such as one without a usable mask.

    Attributes:
        twins: that a twin in another split carries a conflicting label.
        label_error: that the given label is wrong.
        ambiguity: that people may split over the label, by every source.
        degraded: that the error would not have been made, had the image been of usual quality.
        background: that the prediction changes when background evidence is removed or swapped.
        pairs: that the error belongs to a flagged pair of classes, from `pair_support`.
    """

    twins: Floats | None = None
    label_error: Floats | None = None
    ambiguity: Floats | None = None
    degraded: Floats | None = None
    background: Floats | None = None
    pairs: Floats | None = None

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
        """Refuse supports of another number of images."""
        if any(len(support) != n for support in self.present().values()):
            raise DeepSightError(f"Expected supports for {n} test images, received another number.")

    def present(self) -> dict[str, Floats]:
        """The detectors that looked, in the order of precedence."""
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

    The cause is the first in the order of `CAUSES` whose support is at least 0.5; where none is, the cause is
    a plain model error, and its support is 1 minus the largest support of any other.

    Args:
        labels, predicted: int64 (n,), positions in `classes`.
        ids: int64 (n,), rows in the official order of the split.
        detectors: supports for the same n images.

    Raises:
        DeepSightError: the detectors speak of another number of images.
    """
    present = detectors.present()
    detectors.require_length(len(labels))
    errors = np.flatnonzero(labels != predicted)
    names = np.asarray(classes)
    true, other = names[labels[errors]].tolist(), names[predicted[errors]].tolist()
    support = np.array([values[errors] for values in present.values()]).reshape(len(present), len(errors))
    cause, strength = decide(support)
    keys = [*present, None]
    texts = [cause_and_reason(keys[c], t, p) for c, t, p in zip(cause, true, other, strict=True)]
    frame = pl.DataFrame(
        {
            "index": ids[errors],
            "true": true,
            "predicted": other,
            "cause": [text[0] for text in texts],
            "support": strength,
            "because": [text[1] for text in texts],
            "not_examined": unexamined(support, list(present)),
        },
        schema_overrides=TYPES,
    )
    return Table(
        frame=frame,
        units=UNITS,
        n=len(errors),
        method="The first supported cause in a fixed order: "
        + ", ".join(CAUSES.values())
        + f"; supported means at least {SUPPORTED:g}. Support of a cause without ground truth is a score.",
        caption=f"Each of {len(errors):,} errors in {len(labels):,} test images with its cause.",
    )


UNITS = {
    "index": "row in the official order of the split",
    "true": "class name",
    "predicted": "class name",
    "cause": "one of the causes of the ledger",
    "support": "0 to 1",
    "because": "reason in words",
    "not_examined": "causes that nobody could look for in this image",
}

TYPES: dict[str, Any] = {
    **dict.fromkeys(("true", "predicted", "cause", "because"), pl.String),
    "not_examined": pl.List(pl.String),
}


def decide(support: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The place of the first supported cause and its support, both (e,), from supports (c, e).

    The place after the last cause stands for a plain model error.
    """
    known = np.nan_to_num(support, nan=0.0)
    plain = 1 - known.max(axis=0, initial=0.0)
    taken = np.vstack([known >= SUPPORTED, np.ones((1, support.shape[1]), dtype=bool)])
    cause = taken.argmax(axis=0)
    strength = np.vstack([known, plain])[cause, np.arange(support.shape[1])]
    return cause.astype(np.int64), np.asarray(strength, dtype=np.float64)


def cause_and_reason(detector: str | None, true: str, predicted: str) -> tuple[str, str]:
    """The cause and the reason in words."""
    if detector is None:
        return PLAIN, "no other cause is more likely than not"
    return CAUSES[detector], REASONS[detector].format(true=true, predicted=predicted)


def unexamined(support: Floats, present: Sequence[str]) -> list[list[str]]:
    """For each error the causes without a detector, or whose detector could not examine the image."""
    absent = [cause for name, cause in CAUSES.items() if name not in present]
    blind = np.isnan(support)
    return [
        absent + [CAUSES[name] for name, unseen in zip(present, column, strict=True) if unseen]
        for column in blind.T
    ]


def ledger_shares_table(ledger: Table, *, level: float = 0.95) -> Table:
    """Errors by cause, in the order of precedence: evidence table `ledger_shares`. The shares sum to 1.

    A share counts what was found. Where a cause was looked for in some errors only, the high end of its
    interval takes the others to be like those.

    Args:
        ledger: the evidence table `ledger`.
        level: coverage of the Wilson interval of each share, over errors.
    """
    total = len(ledger.frame)
    causes = [*CAUSES.values(), PLAIN]
    counts = [int((ledger.frame["cause"] == cause).sum()) for cause in causes]
    blind = ledger.frame["not_examined"].explode().drop_nulls()
    unseen = [int((blind == cause).sum()) for cause in causes]
    low, _ = wilson(counts, total, level)
    _, high = wilson(counts, [total - n for n in unseen], level)
    frame = pl.DataFrame(
        {
            "cause": causes,
            "n": counts,
            "share": [count / max(total, 1) for count in counts],
            "ci_low": low,
            "ci_high": high,
            "examined": [1 - n / max(total, 1) for n in unseen],
        }
    )
    return Table(
        frame=frame,
        units={
            "cause": "one of the causes of the ledger",
            "n": "errors",
            "share": "share of errors",
            "ci_low": f"share, low end at {level:.0%} (Wilson)",
            "ci_high": f"share, high end at {level:.0%} (Wilson, of the errors in which it was looked for)",
            "examined": "share of errors in which this cause was looked for",
        },
        n=total,
        method="Errors of the ledger counted by cause; Wilson (1927) intervals, each for its cause alone.",
        caption=shares_caption(frame),
    )


def shares_caption(shares: pl.DataFrame) -> str:
    """What the errors are due to, the largest share first, and what nobody looked for."""
    total = int(shares["n"].sum())
    if total == 0:
        return "There is no error to explain."
    found = shares.filter(pl.col("n") > 0).sort("n", descending=True, maintain_order=True)
    parts = [f"{share:.0%} {cause}" for cause, share in found.select("cause", "share").rows()]
    missing = shares.filter(pl.col("examined") == 0)["cause"].to_list()
    unlooked = f" Not examined: {', '.join(missing)}." if missing else ""
    return f"Of {total:,} errors: {', '.join(parts)}.{unlooked}"
