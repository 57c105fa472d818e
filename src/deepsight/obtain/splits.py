"""The user's data prepared for a study: enough images in each class, and a held-out test part."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.dataset import Dataset, class_counts
from deepsight.core.errors import DeepSightError
from deepsight.core.group_split import grouped_rows
from deepsight.core.groups import groups_by_name
from deepsight.core.progress import Log
from deepsight.obtain.crop_or_pad import FitChoice
from deepsight.obtain.data_uri import TEST_SHARE
from deepsight.obtain.decoding.contrast import log_contrast
from deepsight.obtain.decoding.decode import Listing, name_as_text
from deepsight.obtain.decoding.decoded_cache import Decoded
from deepsight.obtain.doubtful_class_names import bare_name, log_doubtful_classes
from deepsight.obtain.obtained import Obtained, Part, Parts
from deepsight.obtain.skipped_items import LATER_FRAMES, NO_LABEL, NO_LABELS, PassedOver, first_few

TEST_SEED = 0
MOST_HELD_OUT = 10_000  # test images, which give macro-F1 to within half a point; more only cost time
WEIGHTS = ("weight", "weights", "sample_weight", "sample_weights")
FEW_IN_TEST = 5  # images of a class; with fewer, its F1 can take only a handful of values
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


def split_custom_data(custom: CustomData, *, share: float = TEST_SHARE, log: Log) -> Obtained:
    """Train, test and validation of the user's data.

    If there is no official test part, a stratified share of at most about 10,000 images is held out with
    seed 0, in whole groups if images are grouped. Train and test are then rows of the same source, which the
    record states.

    Args:
        custom: the data as it was read.
        share: of the images to hold out, in (0, 1).
        log: receives what the user should know.

    Raises:
        DeepSightError: a part is empty, there are fewer than two classes or a class has too few images.
    """
    custom.passed_over.tell(log)
    log_unused_weights(custom, log)
    log_doubtful_classes(custom.classes, log)
    require_enough_images(custom)
    log_contrast(custom.parts[custom.learnt].images, log)
    numbers = group_numbers(custom.parts)
    sets = {
        name: dataset_of_part(part, custom.classes, name, numbers.get(name))
        for name, part in custom.parts.items()
    }
    train, test = sets[custom.learnt], sets.get("test")
    held_share = None
    if test is None:
        held_share = min(share, MOST_HELD_OUT / len(train))
        kept, out = hold_out_test(train, held_share, keep=2 - ("val" in sets))
        train, test = train.select(kept), train.select(out)
        n = len(sets[custom.learnt])
        log(f"{custom.name} has no test part: {len(out):,} of {n:,} images are held out.")
    log_absent_classes(test, log)
    named = {"train": train, "val": sets.get("val"), "test": test}
    present = {name: data for name, data in named.items() if data is not None}
    digests = {name: part.digests for name, part in custom.parts.items() if part.digests is not None}
    record = data_record(custom, present, digests, held_share=held_share)
    return Obtained(train, test, record, sets.get("val"), digests, custom.listed, custom.taken)


def log_unused_weights(custom: CustomData, log: Log) -> None:
    """Log that a column with the name of a weight is treated as metadata."""
    metadata = custom.parts[custom.learnt].metadata
    for name in [] if metadata is None else metadata.columns:
        if name.lower() in WEIGHTS:
            log(
                f"The column '{name}' is treated as metadata: all images have the same weight in training "
                "and in scores."
            )


def dataset_of_part(part: Part, classes: tuple[str, ...], source: str, groups: Ints | None = None) -> Dataset:
    """A part as a data set; the ids are its rows."""
    ids = np.arange(len(part.labels), dtype=np.int64)
    return Dataset(part.images, part.labels, classes, ids, source, part.files, groups, part.metadata)


def group_numbers(parts: Parts) -> dict[str, Ints]:
    """By part, groups as int64 (n,), equal for equal names; an image without a group is its own group."""
    named = {part: data.groups for part, data in parts.items() if data.groups is not None}
    if not named:
        return {}
    numbers = groups_by_name([name for names in named.values() for name in names])
    stops = np.cumsum([len(names) for names in named.values()])[:-1]
    return dict(zip(named, np.split(numbers, stops), strict=True))


def hold_out_test(train: Dataset, share: float, *, keep: int) -> tuple[Ints, Ints]:
    """Rows kept for training and rows held out for testing, in whole groups if images are grouped."""
    if train.groups is not None:
        return grouped_rows(train.labels, train.groups, share=share, seed=TEST_SEED)
    return hold_out_rows(train.labels, share=share, seed=TEST_SEED, keep=keep)


def require_enough_images(custom: CustomData) -> None:
    """Refuse data with too few classes, or too few images per class, for the parts that must be made.

    Raises:
        DeepSightError: a part is empty, or there are too few classes or images.
    """
    for name, part in custom.parts.items():
        if len(part.labels) == 0:
            first = custom.quarantined[0] if custom.quarantined else None
            why = f" The first: {first['file']} ({first['reason']})." if first else ""
            raise DeepSightError(
                f"Expected images in {custom.name} ({name}), received none that can be read.{why}"
            )
    if len(custom.classes) < 2:
        raise DeepSightError(
            f"Expected at least two classes in {custom.name}, received {list(custom.classes)}."
            f"{where_labels_are_missing(custom)}"
        )
    counts = class_counts(custom.parts[custom.learnt].labels, custom.classes)
    require_every_class(custom, counts)
    purposes = ["training"] + [
        purpose for part, purpose in (("val", "validation"), ("test", "test")) if part not in custom.parts
    ]
    few = [f"{n} of '{c}'" for c, n in zip(custom.classes, counts, strict=True) if n < len(purposes)]
    if (counts >= min(2, len(purposes))).sum() < 2 or counts.max() < len(purposes):
        raise DeepSightError(
            f"Expected at least {len(purposes)} images of one class of {custom.name} (for "
            f"{', '.join(purposes)}) and two of another, received {first_few(few)}. Add images."
        )


def where_labels_are_missing(custom: CustomData) -> str:
    """A sentence where images have no label, because -1 may be meant as one; else nothing."""
    missing = [item for item in custom.quarantined if item["reason"] == NO_LABEL]
    missing += [record for record in custom.passed_over.records() if NO_LABELS in str(record["what"])]
    marks = " Other images have no label: -1, NaN and an empty cell mark them."
    return f"{marks} If -1 is a class, write 0 for it." if missing else ""


def require_every_class(custom: CustomData, counts: Ints) -> None:
    """Refuse classes without images to learn from, and say where their images are.

    Raises:
        DeepSightError: a class has none.
    """
    none = [place for place, n in enumerate(counts) if n == 0]
    if not none:
        return
    elsewhere = {
        name: int((part.labels == none[0]).sum())
        for name, part in custom.parts.items()
        if name != custom.learnt
    }
    there = [f"{n} in {name}" for name, n in elsewhere.items() if n]
    where = f", but {', '.join(there)}" if there else ""
    first = custom.quarantined[0] if custom.quarantined else None
    why = f" The first that was set aside: {first['file']} ({first['reason']})." if first else ""
    raise DeepSightError(
        f"Expected readable images to learn from for each class of {custom.name}, received none of "
        f"{first_few([repr(custom.classes[place]) for place in none])}{where}.{why} Add images, or leave the "
        f"class out.{near_spelling(custom.classes, none[0])}"
    )


def near_spelling(classes: Sequence[str], place: int) -> str:
    """A sentence if another class differs from this one only in capitals and separators, else empty."""
    plain = bare_name(classes[place])
    others = [name for i, name in enumerate(classes) if i != place and bare_name(name) == plain]
    return f" There is also '{others[0]}': give both one spelling." if others else ""


def log_absent_classes(test: Dataset, log: Log) -> None:
    """Log which classes the test part lacks, and which have few images in it while others have many."""
    counts = class_counts(test.labels, test.classes)
    absent = [f"'{c}'" for c, n in zip(test.classes, counts, strict=True) if n == 0]
    if absent:
        log(f"The test part has no image of {first_few(absent)}; macro-F1 is over the other classes.")
    rare = [f"'{c}' ({n})" for c, n in zip(test.classes, counts, strict=True) if 0 < n < FEW_IN_TEST]
    if rare and test.k * FEW_IN_TEST < len(test):
        log(
            f"The test part has fewer than {FEW_IN_TEST} images of {first_few(rare)}: each such class has a "
            f"weight of 1/{test.k} in macro-F1."
        )


def hold_out_rows(labels: Ints, *, share: float, seed: int, keep: int) -> tuple[Ints, Ints]:
    """Rows kept and rows held out, stratified by class, both in ascending order.

    Unlike scikit-learn's `StratifiedShuffleSplit`, it holds out at least one image of each class that has
    two.

    Args:
        labels: int64 (n,).
        share: of each class to hold out, in (0, 1).
        seed: random seed.
        keep: minimum number of images to keep of each class that has more than that.
    """
    rng = np.random.default_rng(seed)
    out = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        left = max(len(rows) - keep, min(1, len(rows) - 1))
        take = min(max(1, round(share * len(rows))), left)
        out.append(rng.choice(rows, take, replace=False))
    chosen = np.sort(np.concatenate(out))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def data_record(
    custom: CustomData,
    present: Mapping[str, Dataset],
    digests: Mapping[str, NDArray[np.uint8]],
    *,
    held_share: float | None,
) -> dict[str, Any]:
    """The content of `data.json` for the user's data."""
    groups = [data.groups for data in present.values() if data.groups is not None]
    return {
        "data": custom.name,
        "source": custom.name,
        "sha256_of_pixels": dict(custom.sha256),
        "digests": {name: split_digest(data, digests.get(data.source)) for name, data in present.items()},
        "counts": {name: len(data) for name, data in present.items()},
        "sources": {name: data.source for name, data in present.items()},
        "image_shape": list(present["train"].images.shape[1:]),
        "classes": list(custom.classes),
        "groups": len(np.unique(np.concatenate(groups))) if groups else None,
        "held_out_test": {"share": held_share, "seed": TEST_SEED} if held_share else None,
        **custom.about,
        "passed_over": custom.passed_over.records(),
        "quarantined": list(custom.quarantined),
        "failed_sources": [],
    }


def split_digest(data: Dataset, digests: NDArray[np.uint8] | None) -> str:
    """SHA-256 of a split: the class names, and the label and digest of each image, in order."""
    digest = hashlib.sha256("\0".join(data.classes).encode("utf-8", "surrogatepass"))
    digest.update(np.ascontiguousarray(data.labels).data)
    if digests is not None:
        digest.update(np.ascontiguousarray(digests[data.ids]).data)
    return digest.hexdigest()
