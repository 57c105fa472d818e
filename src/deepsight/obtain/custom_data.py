"""The user's data as it was read, before it is split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deepsight.core.array_types import Floats
from deepsight.core.progress import Log
from deepsight.obtain.crop_or_pad import FitChoice
from deepsight.obtain.decoding.decode import Listing, name_as_text
from deepsight.obtain.decoding.decoded_cache import Decoded
from deepsight.obtain.obtained import Parts
from deepsight.obtain.skipped_items import LATER_FRAMES, PassedOver

WEIGHTS = ("weight", "weights", "sample_weight", "sample_weights")
MUCH_CUT = 0.1  # mean share of a picture; more is logged


@dataclass(frozen=True)
class CustomData:
    """The user's data as it was read.

    Attributes:
        name: as the user wrote it, such as "folder:flowers".
        parts: "train" with "val" and "test" if they exist, or "all" alone.
        classes: names of the k classes.
        sha256: SHA-256 of the pixels of each part.
        passed_over: what the source holds but the study does not use.
        quarantined: items that could not be read: {"file", "reason"}.
        listed: by part, the name of every listed item; empty if items have no names.
        about: further entries of `data.json`.
        taken: by part, the time of exposure of each image in seconds since 1970; NaN if it is not recorded.
    """

    name: str
    parts: Parts
    classes: tuple[str, ...]
    sha256: Mapping[str, str]
    passed_over: PassedOver = field(default_factory=PassedOver)
    quarantined: Sequence[Mapping[str, str]] = ()
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    taken: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def learnt(self) -> str:
        """The part that the model is trained on: "train", or "all"."""
        return "train" if "train" in self.parts else "all"


def custom_data(
    name: str,
    decoded: Mapping[str, Decoded],
    classes: tuple[str, ...],
    *,
    listings: Mapping[str, Listing],
    passed_over: PassedOver,
    choice: FitChoice,
    log: Log,
) -> CustomData:
    """Decoded parts as the user's data; `choice` is how the pictures were fitted."""
    quarantined = [item for part in decoded.values() for item in part.quarantined]
    if quarantined:
        first = quarantined[0]
        log(f"Set aside: {len(quarantined):,}, the first: {first['file']} ({first['reason']}).")
    several = [name for part in decoded.values() for name in part.several]
    passed_over.add_all(LATER_FRAMES, several)
    sizes = [len(there.part.labels) for there in decoded.values()]
    cut = float(np.average([there.cut for there in decoded.values()], weights=sizes)) if sum(sizes) else 0.0
    if cut > MUCH_CUT:
        log(f"On average {cut:.0%} of each picture lies outside the square and is cut; ?fit=pad keeps it.")
    return CustomData(
        name=name,
        parts={part: there.part for part, there in decoded.items()},
        classes=classes,
        sha256={part: there.sha256 for part, there in decoded.items()},
        passed_over=passed_over,
        quarantined=quarantined,
        listed={part: tuple(name_as_text(name) for name in there.names) for part, there in listings.items()},
        about={"fit": choice.fit, "cut": round(cut, 4), **choice.about, "bit_depths": tops_by_kind(decoded)},
        taken={part: there.taken for part, there in decoded.items() if np.isfinite(there.taken).any()},
    )


def tops_by_kind(decoded: Mapping[str, Decoded]) -> dict[str, list[float]]:
    """By kind of image with more than 8 bits per value, the values that became white in any part."""
    kinds = sorted({kind for part in decoded.values() for kind in part.tops})
    return {
        kind: sorted({top for part in decoded.values() for top in part.tops.get(kind, ())}) for kind in kinds
    }


def log_unused_weights(custom: CustomData, log: Log) -> None:
    """Log that a column with the name of a weight is treated as metadata."""
    metadata = custom.parts[custom.learnt].metadata
    for name in [] if metadata is None else metadata.columns:
        if name.lower() in WEIGHTS:
            log(
                f"The column '{name}' is treated as metadata: all images have the same weight in training "
                "and in scores."
            )
