"""The user's data prepared for a study: a held-out test part, and groups that no split divides."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.group_split import grouped_rows
from deepsight.core.groups import groups_by_name
from deepsight.core.progress import Log
from deepsight.obtain.custom_data import CustomData, log_unused_weights
from deepsight.obtain.data_uri import TEST_SHARE
from deepsight.obtain.decoding.contrast import log_contrast
from deepsight.obtain.doubtful_class_names import log_doubtful_classes
from deepsight.obtain.enough_images import log_absent_classes, require_enough_images
from deepsight.obtain.obtained import Obtained, Part, Parts

TEST_SEED = 0
MOST_HELD_OUT = 10_000  # test images, which give macro-F1 to within half a point; more only cost time


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
