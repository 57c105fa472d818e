"""The scrub stage: splits without exact or near-duplicate leakage, and the tables that document them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.duplicates.official import with_validation
from deepsight.scrub.duplicates.repeated_rows import repeated_rows
from deepsight.scrub.leakage import EXACT_COPY
from deepsight.scrub.split import Partition, absent_classes, leak_free_split, limit_train, validation_rows

MOST_DROPPED, FEW_DROPPED = 0.05, 5  # near-duplicates dropped without asking: this share or number at most


@dataclass(frozen=True)
class Cleaned:
    """Cleaned splits for a study.

    Attributes:
        splits: without leaks; the training set contains only the rows that are used.
        evidence: the tables `duplicates`, `split_dropped` and `split_checks`.
        compared: the images that were searched for near-duplicates, by split, including dropped ones.
        notes: for the user: near-duplicates that were kept, many exact copies,
            classes missing from validation.
    """

    splits: Splits
    evidence: Evidence
    compared: dict[str, Dataset]
    notes: tuple[str, ...] = ()


def clean_splits(
    train: Dataset,
    test: Dataset,
    *,
    validation: Dataset | None,
    validation_share: float,
    seed: int,
    keep_leaks: bool | None,
    rows: Callable[[Splits], int],
    known: Callable[[], Table | None] = lambda: None,
) -> Cleaned:
    """Split, choose the training rows, and drop those that repeat a validation or test image.

    Args:
        train, test, validation: the official parts.
        validation_share: share of train that becomes validation if there is no official one.
        seed: of the shuffle.
        keep_leaks: True reports near-duplicates but drops none; None drops them only if they are a small
            share and every class keeps images.
        rows: returns the number of training rows to use, given the splits.
        known: returns the near-duplicates among all official images, or None if searching so many would take
            too long; then only the images that the study uses are compared.

    Raises:
        DeepSightError: no training image of some class is left.
    """

    def cut(near_duplicates: NDArray[np.int64]) -> Partition:
        return leak_free_split(
            train, test, validation=validation, validation_share=validation_share, seed=seed,
            keep_leaks=keep_leaks, near_duplicates=near_duplicates,
        )  # fmt: skip

    first = cut(np.empty(0, dtype=np.int64)).splits
    used = limit_train(first.train, limit=rows(first), seed=seed)
    everything = known()
    if everything is None:
        compared = {"train": used, "val": first.validation, "test": test}
        found = find_duplicates(compared, seed=seed)
    else:
        compared = official_splits(train, test, validation, validation_share, seed)
        found = everything if validation is not None else with_validation(everything, compared["val"].ids)
    near = repeated_rows(found, of="train", within=("val", "test"))
    note = "" if keep_leaks is not None else doubt_about_dropping(np.intersect1d(near, used.ids), used)
    near = near[:0] if note else near
    final = cut(near)
    kept = used if keep_leaks else used.select(np.flatnonzero(~np.isin(used.ids, near)))
    require_left(final.splits.train, train)
    require_left(kept, used)
    dropped = replace(final.dropped, caption=f"{final.dropped.caption} {note}".strip())
    splits = replace(final.splits, train=kept)
    absent = absent_classes("validation", splits.validation)
    lacking = (*absent, *absent_classes("test", splits.test))
    checks = replace(final.checks, caption=" ".join((final.checks.caption, *lacking)))
    tables = {"duplicates": found, "split_dropped": dropped, "split_checks": checks}
    doubts = (note, doubt_about_copies(final.dropped, used))
    notes = (*(said for said in doubts if said), *absent)
    return Cleaned(splits, Evidence(tables), compared, notes)


def official_splits(
    train: Dataset, test: Dataset, validation: Dataset | None, share: float, seed: int
) -> dict[str, Dataset]:
    """All official images by their split before any are dropped."""
    if validation is not None:
        return {"train": train, "val": validation, "test": test}
    kept, held = validation_rows(train, share, seed)
    return {"train": train.select(kept), "val": train.select(held), "test": test}


def doubt_about_dropping(near: NDArray[np.int64], used: Dataset) -> str:
    """Why these near-duplicates are kept unless the user asks to drop them; empty if they are dropped.

    If there are many, a person should look at them first: they may be frames of a video, or different images
    that naturally look alike.
    """
    left = ~np.isin(used.ids, near)
    gone = sorted(set(used.labels.tolist()) - set(used.labels[left].tolist()))
    most = max(MOST_DROPPED * len(used), FEW_DROPPED)
    if len(near) <= most and not gone:
        return ""
    reason = (
        f"would remove all images of '{used.classes[gone[0]]}'"
        if gone
        else "would remove more than a small share"
    )
    return (
        f"{len(near):,} of {len(used):,} training images are near-duplicates of validation or test images. "
        f"Dropping them {reason}, so they are kept. Look at the pairs; --no-keep-leaks drops them."
    )


def doubt_about_copies(dropped: Table, used: Dataset) -> str:
    """That many images were exact copies of test or validation images; empty if few or none were."""
    n = int((dropped.frame["reason"] == EXACT_COPY).sum())
    if n <= max(MOST_DROPPED * len(used), FEW_DROPPED):
        return ""
    return (
        f"{n:,} images to learn from are exact copies of test or validation images and are left out. If that "
        "is unexpected, look at how the parts were made; the table split_dropped lists them."
    )


def require_left(kept: Dataset, used: Dataset) -> None:
    """Refuse to continue if dropping the copies of test and validation images leaves a class without images.

    Raises:
        DeepSightError: no training image of some class is left.
    """
    gone = sorted(set(used.labels.tolist()) - set(kept.labels.tolist()))
    if gone:
        raise DeepSightError(
            f"Expected training images of '{used.classes[gone[0]]}' that do not copy validation or test "
            f"images, but none is left ({len(kept)} of {len(used)} images remain). Remove the copies "
            "from the test set, or use --keep-leaks, which keeps them and says so."
        )
