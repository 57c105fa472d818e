"""Own data made ready: enough images in each class, and a test part held out where there is none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, class_counts
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.obtain.decode import Decoded
from deepsight.obtain.sources import Obtained, Part, Parts

TEST_SHARE, TEST_SEED = 0.2, 0
MOST_HELD_OUT = 10_000  # test images: macro-F1 is then known to half a point, and more cost time
# What people call the official parts, and what we call them.
PART_NAMES: Mapping[str, str] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class CustomData:
    """Own data as it was read.

    Attributes:
        name: as it was asked for, such as "folder:flowers".
        parts: "train" with "val" and "test" where there are such, or "all" alone.
        classes: names of the k classes.
        digests: SHA-256 of the pixels of each part.
        quarantined: what could not be read: {"file", "reason"}.
        files: the file of each row, by part; empty where rows are no files.
    """

    name: str
    parts: Parts
    classes: tuple[str, ...]
    digests: Mapping[str, str]
    quarantined: Sequence[Mapping[str, str]] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def learnt(self) -> str:
        """The part that the model learns from: "train", or "all"."""
        return "train" if "train" in self.parts else "all"


def custom_data(
    name: str,
    decoded: Mapping[str, Decoded],
    classes: tuple[str, ...],
    *,
    names: Mapping[str, Sequence[str]],
    log: Log,
) -> CustomData:
    """Decoded parts as own data; `names` are those of the listings that they were decoded from."""
    quarantined = [item for part in decoded.values() for item in part.quarantined]
    if quarantined:
        first = quarantined[0]
        log(f"{len(quarantined)} items are set aside, the first: {first['file']} ({first['reason']}).")
    return CustomData(
        name=name,
        parts={part: there.part for part, there in decoded.items()},
        classes=classes,
        digests={part: there.sha256 for part, there in decoded.items()},
        quarantined=quarantined,
        files={part: tuple(names[part][row] for row in there.rows) for part, there in decoded.items()},
    )


def split_custom_data(own: CustomData, *, log: Log) -> Obtained:
    """Train, test and validation of own data.

    Where there is no official test part, a stratified fifth, at most about 10,000 images, is held out with
    seed 0: train and test are then rows of the same source, and the record says so.

    Raises:
        DeepSightError: a part is empty, there are fewer than two classes or a class has too few images.
    """
    require_enough_images(own)
    sets = {name: dataset_of_part(part, own.classes, name) for name, part in own.parts.items()}
    train, test = sets[own.learnt], sets.get("test")
    share = None
    if test is None:
        share = min(TEST_SHARE, MOST_HELD_OUT / len(train))
        kept, out = hold_out_rows(train.labels, share=share, seed=TEST_SEED, keep=2 - ("val" in sets))
        train, test = train.select(kept), train.select(out)
        log(f"{own.name} has no test part: {len(out):,} of {len(sets[own.learnt]):,} images are held out.")
    else:
        log_absent_classes(test, log)
    validation = sets.get("val")
    record = data_record(own, {"train": train, "val": validation, "test": test}, held_share=share)
    return Obtained(train, test, record, validation, own.files)


def dataset_of_part(part: Part, classes: tuple[str, ...], source: str) -> Dataset:
    """A part as a data set; the ids are its rows."""
    return Dataset(part.images, part.labels, classes, np.arange(len(part.labels), dtype=np.int64), source)


def require_enough_images(own: CustomData) -> None:
    """Refuse data that cannot be split: each class needs an image in every part that is still to be made."""
    for name, part in own.parts.items():
        if len(part.labels) == 0:
            raise DeepSightError(f"Expected images in {own.name} ({name}), received none that can be read.")
    if len(own.classes) < 2:
        raise DeepSightError(f"Expected at least two classes in {own.name}, received {list(own.classes)}.")
    purposes = ["training"] + [
        purpose for part, purpose in (("val", "validation"), ("test", "test")) if part not in own.parts
    ]
    counts = class_counts(own.parts[own.learnt].labels, own.classes)
    few = [f"{n} in '{c}'" for c, n in zip(own.classes, counts, strict=True) if n < len(purposes)]
    if few:
        raise DeepSightError(
            f"Expected at least {len(purposes)} readable images in each class of {own.name} "
            f"(one each for {', '.join(purposes)}), received {first_few(few)}. "
            "Add images or leave these classes out."
        )


def first_few(items: Sequence[str], *, most: int = 5) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def log_absent_classes(test: Dataset, log: Log) -> None:
    """Say which classes the test part lacks: their F1 counts as 0."""
    counts = class_counts(test.labels, test.classes)
    absent = [f"'{c}'" for c, n in zip(test.classes, counts, strict=True) if n == 0]
    if absent:
        log(f"The test part has no image of {first_few(absent)}; macro-F1 counts such a class as 0.")


def hold_out_rows(labels: Ints, *, share: float, seed: int, keep: int) -> tuple[Ints, Ints]:
    """Rows kept and rows held out, the same share of each class, both in ascending order.

    Scikit-learn's `StratifiedShuffleSplit` may hold out no image of a rare class; this holds out at least
    one of each, and leaves at least `keep`.
    """
    rng = np.random.default_rng(seed)
    out = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        take = min(max(1, round(share * len(rows))), len(rows) - keep)
        out.append(rng.choice(rows, take, replace=False))
    chosen = np.sort(np.concatenate(out))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def data_record(
    own: CustomData, sets: Mapping[str, Dataset | None], *, held_share: float | None
) -> dict[str, Any]:
    """What `data.json` says about own data."""
    present = {name: data for name, data in sets.items() if data is not None}
    return {
        "data": own.name,
        "source": own.name,
        "sha256_of_pixels": dict(own.digests),
        "counts": {name: len(data) for name, data in present.items()},
        "image_shape": list(present["train"].images.shape[1:]),
        "classes": list(own.classes),
        "held_out_test": {"share": held_share, "seed": TEST_SEED} if held_share else None,
        "quarantined": list(own.quarantined),
        "failed_sources": [],
    }


def positions_of_labels(values: Sequence[Any], *, among: Iterable[Any]) -> tuple[Ints, tuple[str, ...]]:
    """Positions of values among the distinct ones of `among`, -1 for None, and these as class names."""
    distinct = sorted({value for value in among if value is not None})
    positions = {value: i for i, value in enumerate(distinct)}
    found = [-1 if value is None else positions[value] for value in values]
    return np.asarray(found, dtype=np.int64), tuple(str(value) for value in distinct)
