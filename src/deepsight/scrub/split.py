"""Train, validation and test without leakage: stratified, with no image in more than one split."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.model_selection import StratifiedShuffleSplit

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, Splits, class_counts
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.group_split import grouped_rows
from deepsight.scrub.leakage import DigestedSplit, find_leaks, no_leaks, pixel_digests

NONE: Ints = np.empty(0, dtype=np.int64)

# Class shares count as equal within half a point, or within what two random draws may differ by.
SHARE_TOLERANCE = 0.005
CHANCE = 0.05  # of a false alarm if two splits are random draws


@dataclass(frozen=True)
class Partition:
    """The splits, the dropped images (`split_dropped`) and the checks of the splits (`split_checks`)."""

    splits: Splits
    dropped: Table
    checks: Table


def leak_free_split(
    train: Dataset,
    test: Dataset,
    *,
    validation_share: float = 0.1,
    seed: int,
    validation: Dataset | None = None,
    keep_leaks: bool | None = False,
    near_duplicates: Ints = NONE,
) -> Partition:
    """Take validation from train, keep the official test set, and drop leaked images.

    Of two exact copies in different splits, the one in train is dropped, or else the one in validation; test
    is never changed. The rows of validation depend only on labels and seed, so a first call can precede the
    search for near-duplicates and a second one can drop them.

    Args:
        train: the official training set.
        test: the official test set.
        validation_share: share of train that becomes validation, in (0, 1); unused if `validation` is given.
        seed: random seed of the shuffle.
        validation: the official validation set, if there is one; only its leaked images are dropped.
        keep_leaks: drop nothing, to measure the effect of leakage.
        near_duplicates: ids of training rows that show the same picture as a validation or test image; they
            are dropped.

    Raises:
        DeepSightError: there are too few images to make a validation split.
    """
    if validation is None:
        kept, held = validation_rows(train, validation_share, seed)
        train, validation = train.select(kept), train.select(held)
    named = Splits(train, validation, test).named()
    marked = [DigestedSplit(name, data, pixel_digests(data.images)) for name, data in named.items()]
    dropped = no_leaks() if keep_leaks else find_leaks(*marked, near_duplicates=near_duplicates)
    parts = [part.without(dropped) for part in marked]
    splits = Splits(*(part.data for part in parts))
    return Partition(splits, dropped_table(dropped, n=len(train) + len(validation)), split_checks(*parts))


def validation_rows(train: Dataset, share: float, seed: int) -> tuple[Ints, Ints]:
    """Positions of the rows for training and for validation; groups are not divided."""
    if train.groups is not None:
        return grouped_rows(train.labels, train.groups, share=share, seed=seed)
    return stratified_rows(train, share, seed)


def stratified_rows(train: Dataset, share: float, seed: int) -> tuple[Ints, Ints]:
    """Positions of the rows for training and for validation, each in ascending order.

    Each class contributes the same share, and has at least one image in both parts if it has two. The image
    of a class with a single one stays in train.

    Raises:
        DeepSightError: the share is not between 0 and 1, or no class has two images.
    """
    counts = class_counts(train.labels, train.classes)
    held = round(share * len(train)) if 0 < share < 1 else 0
    if not 0 < share < 1 or counts.max() < 2:
        raise DeepSightError(
            "Expected a validation share between 0 and 1, and a class with at least 2 images; "
            f"received share {share} and at most {int(counts.max())} per class. Add images or change it."
        )
    if counts.min() >= 2 and min(held, len(train) - held) >= train.k:
        shuffle = StratifiedShuffleSplit(n_splits=1, test_size=held, random_state=seed)
        kept, chosen = next(shuffle.split(np.zeros(len(train)), train.labels))
        if class_counts(train.labels[chosen], train.classes).min() > 0:
            return np.sort(kept).astype(np.int64), np.sort(chosen).astype(np.int64)
    return rows_of_every_class(train, share, seed)


def rows_of_every_class(train: Dataset, share: float, seed: int) -> tuple[Ints, Ints]:
    """As `stratified_rows`, but class by class: the rounded share, and at least one image of two or more."""
    rng, chosen = np.random.default_rng(seed), []
    for label in range(train.k):
        rows = np.flatnonzero(train.labels == label)
        size = min(max(1, round(share * len(rows))), max(len(rows) - 1, 0))
        chosen.append(rng.choice(rows, size, replace=False))
    held = np.sort(np.concatenate(chosen)).astype(np.int64)
    return np.setdiff1d(np.arange(len(train)), held), held


def absent_classes(name: str, part: Dataset) -> tuple[str, ...]:
    """A sentence on the classes that are missing from a split; nothing if it has all."""
    counts = class_counts(part.labels, part.classes)
    absent = [f"'{c}'" for c, n in zip(part.classes, counts, strict=True) if n == 0]
    if not absent:
        return ()
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    return (
        f"The {name} split has no image of {', '.join(absent[:5])}{more}: "
        "macro-F1 over it is the mean over the other classes.",
    )


def limit_train(train: Dataset, *, limit: int | None, seed: int) -> Dataset:
    """A stratified part of train with `limit` images, in order; train itself if it has no more than that.

    Each class keeps its share of images, rounded by the largest remainder, and at least one.

    Raises:
        DeepSightError: the limit is below the number of classes.
    """
    if limit is None or limit >= len(train):
        return train
    if limit < train.k:
        raise DeepSightError(
            f"Expected a limit of at least one image for {train.k} classes, received {limit}."
        )
    shares = class_counts(train.labels, train.classes) * (limit / len(train))
    sizes = shares.astype(np.int64)
    sizes[np.argsort(sizes - shares, kind="stable")[: limit - sizes.sum()]] += 1
    for lost in np.flatnonzero((sizes == 0) & (shares > 0)):
        sizes[int(sizes.argmax())] -= 1
        sizes[lost] = 1
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(train.labels == c), size, replace=False) for c, size in enumerate(sizes)
    ]
    return train.select(np.sort(np.concatenate(chosen)))


def dropped_table(dropped: pl.DataFrame, *, n: int) -> Table:
    """Evidence table `split_dropped`: each dropped row and the reason; n images were checked."""
    return Table(
        frame=dropped,
        units={
            "split": "split from which the image was dropped",
            "index": "row in the official order",
            "reason": "exact copy, near-duplicate or same group",
            "twin_split": "split that keeps the copy; empty for near-duplicates, see the table duplicates",
            "twin_index": "row of that copy in the official order",
        },
        n=n,
        method="Exact copies by BLAKE2b digests of the pixels; near-duplicates from the table duplicates.",
        caption=f"{len(dropped):,} of {n:,} images were dropped because they are also in another split.",
    )


def split_checks(train: DigestedSplit, validation: DigestedSplit, test: DigestedSplit) -> Table:
    """Evidence table `split_checks`: what each pair of splits shares and how their class shares differ.

    A pair passes if it shares no row and no digest, and no class share differs by more than both
    `SHARE_TOLERANCE` and what is likely for two random draws of these sizes.
    """
    pairs = ((train, validation), (train, test), (validation, test))
    frame = pl.DataFrame([pair_check(a, b) for a, b in pairs])
    return Table(
        frame=frame,
        units={
            "split_a": "split",
            "split_b": "split",
            "shared_ids": "rows in both",
            "shared_digests": "distinct pixel contents in both",
            "share_difference": "absolute difference of the share of the class that exceeds its tolerance "
            "most or comes nearest to it",
            "tolerance": "largest difference that counts as equal: 0.005, or what chance explains at 5 %",
            "passed": "true or false",
        },
        n=sum(len(part.data) for part in (train, validation, test)),
        method="Set intersection of rows and of BLAKE2b pixel digests; class shares against random draws.",
        caption=f"{frame['passed'].sum()} of 3 pairs of splits share no image and have equal class shares.",
    )


def pair_check(a: DigestedSplit, b: DigestedSplit) -> dict[str, object]:
    """One row of `split_checks`."""
    shared_ids = len(np.intersect1d(a.data.ids, b.data.ids)) if a.data.source == b.data.source else 0
    shared_digests = len(np.intersect1d(a.digests, b.digests))
    differences, tolerances = share_differences(a.data, b.data)
    worst = int((differences - tolerances).argmax())
    difference, tolerance = float(differences[worst]), float(tolerances[worst])
    return {
        "split_a": a.name,
        "split_b": b.name,
        "shared_ids": shared_ids,
        "shared_digests": shared_digests,
        "share_difference": difference,
        "tolerance": tolerance,
        "passed": shared_ids == shared_digests == 0 and difference <= tolerance,
    }


def share_differences(a: Dataset, b: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The difference of the share of each class, and its tolerance, both (k,).

    Two random draws from one population exceed the tolerance in any class with a probability of 5 % (normal
    approximation, Bonferroni over the classes), unless they are so large that `SHARE_TOLERANCE` is larger.
    """
    counts = class_counts(a.labels, a.classes) + class_counts(b.labels, b.classes)
    pooled = counts / max(len(a) + len(b), 1)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / max(len(a), 1) + 1 / max(len(b), 1)))
    chance = float(norm.ppf(1 - CHANCE / (2 * len(counts)))) * spread
    return np.abs(class_shares(a) - class_shares(b)), np.maximum(chance, SHARE_TOLERANCE)


def class_shares(data: Dataset) -> NDArray[np.float64]:
    """Share of each class among the images, float64 (k,)."""
    return np.asarray(class_counts(data.labels, data.classes) / max(len(data), 1))
