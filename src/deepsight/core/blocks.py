"""Rows in blocks, where all at once would fill the memory."""


def blocks_of(n: int, size: int) -> list[slice]:
    """Slices of at most `size` rows that cover n.

    >>> blocks_of(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
