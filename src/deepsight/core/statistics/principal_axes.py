"""The directions in which features vary most."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from deepsight.core.array_types import Reals

ROWS = 20_000  # rows that the axes are computed from; more of them change the axes little


def principal_axes(features: Reals, centre: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """The principal axes (d, dimensions) in order of decreasing variance.

    They are computed from at most 20,000 evenly spaced rows. n rows span at most n directions,
    so with fewer rows than `dimensions` the last axes are 0.

    Args:
        features: (n, d).
        centre: (d,), the mean, which is subtracted first.
        dimensions: number of axes, at most d.
    """
    rows = np.asarray(features[evenly_spaced(len(features))], dtype=np.float32) - centre
    if len(rows) < rows.shape[1]:
        return axes_of_few(rows.astype(np.float64), dimensions)
    d = rows.shape[1]
    _, axes = eigh((rows.T @ rows).astype(np.float64), subset_by_index=(d - dimensions, d - 1))
    return np.asarray(axes[:, ::-1], dtype=np.float32)


def evenly_spaced(n: int) -> slice:
    """At most 20,000 evenly spaced rows of n, from which the axes are computed.

    >>> evenly_spaced(50_000)
    slice(None, None, 3)
    """
    return slice(None, None, max(1, -(-n // ROWS)))


def axes_of_few(rows: NDArray[np.float64], dimensions: int) -> NDArray[np.float32]:
    """The same for fewer rows than features, from the n × n products of the rows."""
    n, d = rows.shape
    axes = np.zeros((d, dimensions), dtype=np.float32)
    values, sides = eigh(rows @ rows.T)
    largest = np.flatnonzero(values > n * np.finfo(np.float32).eps * max(float(values[-1]), 0.0))
    chosen = largest[::-1][:dimensions]
    axes[:, : len(chosen)] = rows.T @ (sides[:, chosen] / np.sqrt(values[chosen]))
    return axes
