"""Which images belong together, such as those of one patient: numbered by name, and joined over parts."""

from collections.abc import Sequence

import numpy as np

from deepsight.core.array_types import Ints


def groups_by_name(names: Sequence[str]) -> Ints:
    """The group of each image, int64 (n,): equal for equal names; an image with the name "" stands alone."""
    unique = [name or f"\0{row}" for row, name in enumerate(names)]
    return np.unique(np.array(unique, dtype=str), return_inverse=True)[1].astype(np.int64)


def joined_groups(groups: Sequence[Ints | None], sizes: Sequence[int]) -> Ints | None:
    """The group of each image of several parts, one part after the other; None if no part has groups.

    An image of a part without groups stands alone: it gets a number above all others.

    Args:
        groups: int64 (n,) of each part, or None; a number means the same group in all parts.
        sizes: images of each part.
    """
    given = [part for part in groups if part is not None]
    if not given:
        return None
    free = int(np.concatenate(given).max(initial=-1)) + 1
    starts = np.cumsum([0, *sizes])
    return np.concatenate(
        [
            np.arange(start, start + size) + free if part is None else part
            for part, size, start in zip(groups, sizes, starts[:-1], strict=True)
        ]
    ).astype(np.int64)
