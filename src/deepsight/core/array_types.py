"""Array types for signatures. Shapes are given in the docstrings; their letters are in docs/vocabulary.md."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # RGB images (n, h, w, 3), or one (h, w, 3)
Ints = NDArray[np.int64]  # labels, ids, rows, counts
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Reals = NDArray[np.floating]  # any precision
Bools = NDArray[np.bool_]
