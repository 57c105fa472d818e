"""A check that images keep visible contrast when they are stored with 8 bits."""

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Images
from deepsight.core.progress import Log

SAMPLE = 200  # images that are checked
FAINT = 24  # of 255 levels between the `ENDS`; a smaller difference is hardly visible
ENDS = (0.5, 99.5)  # percentiles


def log_contrast(images: Images, log: Log) -> None:
    """Log if most images have hardly any contrast, since their values may have been scaled wrongly.

    Args:
        images: uint8 (n, h, w, 3).
        log: receives the sentence.
    """
    rows: Ints = np.unique(np.linspace(0, len(images) - 1, min(SAMPLE, len(images))).astype(np.int64))
    pixels = np.asarray(images[rows]).reshape(len(rows), -1)
    low, high = np.percentile(pixels, ENDS, axis=1)
    spread = float(np.median(high - low))
    if spread < FAINT:
        log(
            f"The images have little contrast: nearly all values of an image lie within {spread:.0f} of 255 "
            f"levels, around {float(np.median((high + low) / 2)):.0f} (median of {len(rows)} images). The "
            "largest value of all images becomes white. If they should be stretched, scale them yourself."
        )
