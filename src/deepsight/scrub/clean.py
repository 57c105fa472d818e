"""The scrub stage: splits without leakage, exact or near, and the tables that prove it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.scrub.duplicates import find
from deepsight.scrub.split import Partition, limit_train, split


@dataclass(frozen=True)
class Cleaned:
    """Splits that a study may use.

    Attributes:
        splits: without leaks, the training set cut to the rows that are used.
        evidence: the tables `duplicates`, `split_dropped` and `split_checks`.
        compared: the images among which twins were looked for, twins included, by split.
    """

    splits: Splits
    evidence: Evidence
    compared: dict[str, Dataset]


def clean(
    train: Dataset,
    test: Dataset,
    *,
    validation: Dataset | None,
    validation_share: float,
    seed: int,
    keep_leaks: bool,
    rows: Callable[[Splits], int],
) -> Cleaned:
    """Split, choose the training rows, and drop those that repeat a validation or test image.

    Args:
        train, test, validation: the official parts.
        validation_share: of train that becomes validation where there is no official one.
        seed: of the shuffle.
        keep_leaks: find twins but drop none.
        rows: how many training rows are used, given the splits; only these are compared.
    """

    def cut(near_twins: NDArray[np.int64]) -> Partition:
        return split(
            train, test, validation=validation, validation_share=validation_share, seed=seed,
            keep_leaks=keep_leaks, near_twins=near_twins,
        )  # fmt: skip

    first = cut(np.empty(0, dtype=np.int64)).splits
    used = limit_train(first.train, limit=rows(first), seed=seed)
    compared = {"train": used, "val": first.validation, "test": test}
    found = find.find(compared, seed=seed)
    near = find.repeated(found, of="train", within=("val", "test"))
    final = cut(near)
    kept = used if keep_leaks else used.select(np.flatnonzero(~np.isin(used.ids, near)))
    require_left(final.splits.train, train)
    require_left(kept, used)
    tables = {"duplicates": found, "split_dropped": final.dropped, "split_checks": final.checks}
    return Cleaned(replace(final.splits, train=kept), Evidence(tables), compared)


def require_left(kept: Dataset, used: Dataset) -> None:
    """Refuse to go on where the copies of test and validation images took a whole class away.

    Raises:
        DeepSightError: no training image of some class is left.
    """
    gone = sorted(set(used.labels.tolist()) - set(kept.labels.tolist()))
    if gone:
        raise DeepSightError(
            f"Expected training images that are no copies of test or validation images, but of {len(used)} "
            f"only {len(kept)} are left, and none of '{used.classes[gone[0]]}'. Take the copies out of the "
            "test set, or go on with --keep-leaks, which leaves them in and says so."
        )
