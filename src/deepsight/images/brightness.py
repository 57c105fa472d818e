"""The brightness of a pixel as every stage measures it."""

import numpy as np
from numpy.typing import NDArray

# ITU-R BT.601, the weights of JPEG and of the usual grey conversion.
WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def luma(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luma of RGB pixels (…, 3), in the unit of the pixels, (…)."""
    return np.asarray(pixels @ WEIGHTS, dtype=np.float32)
