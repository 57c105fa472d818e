"""A digest of the pixels of each image: exact copies, and no others, share one."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Images

BYTES = 16  # 128 bits: a chance of 1e-27 that two of a million distinct images share a digest
BLOCK = 4096  # images read at a time, so that images on disk need no memory of their own


def digests(images: Images) -> NDArray[np.void]:
    """BLAKE2b of the pixels of each image (n, h, w, 3) uint8, as (n,) of 16 bytes, read in blocks."""
    found = np.empty(len(images), dtype=f"V{BYTES}")
    for start in range(0, len(images), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(images)))
        block = np.ascontiguousarray(images[rows])
        digest = b"".join(blake2b(image, digest_size=BYTES).digest() for image in block)
        found[rows] = np.frombuffer(digest, dtype=found.dtype)
    return found
