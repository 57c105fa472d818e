"""Whether images still show something once they are stored with 8 bits."""

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Images
from deepsight.core.progress import Log

SAMPLE = 200  # images that are looked at
FAINT = 24  # levels of 255 between the ends of nearly all pixels: less is hardly seen
ENDS = (0.5, 99.5)  # percentiles


def log_contrast(images: Images, log: Log) -> None:
    """Say where most images are nearly of one grey: their values may have been scaled in a wrong way.

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
            f"The images show little: nearly all values of one lie within {spread:.0f} of 255 levels, around "
            f"{float(np.median((high + low) / 2)):.0f} (median of {len(rows)}). The largest value of all "
            "images becomes white. If they should be stretched, scale them yourself."
        )
