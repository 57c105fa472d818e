"""Attribution maps as pictures: one colour scale per row, and zero is always transparent."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels

# From evidence against the class (blue) through none (white) to evidence for it (red): the colours of
# ColorBrewer's RdBu (Brewer 2003), whose lightness decreases evenly from the middle to both ends.
ANCHORS = np.array(
    [(5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), (247, 247, 247),
     (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31)],
    dtype=np.float64,
)  # fmt: skip
STRONGEST_COVER = 0.8


def evidence_colours(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """RGB (..., 3), 0 to 255, for evidence (...) from -1 (against) to 1 (for); other values are clipped."""
    place = (np.clip(values, -1, 1) + 1) / 2 * (len(ANCHORS) - 1)
    return np.stack([np.interp(place, np.arange(len(ANCHORS)), ANCHORS[:, c]) for c in range(3)], axis=-1)


def map_overlay(image: Pixels, evidence: NDArray[np.floating], *, scale: float) -> Pixels:
    """A map drawn over its image.

    Red is evidence for the class, blue against it. The colour gets stronger with the evidence, so a map
    without evidence leaves a grey image. Rescaling each map to 0..1 would make noise look certain.

    Args:
        image: uint8 (h, w, 3).
        evidence: (h', w'), signed; enlarged bilinearly.
        scale: the evidence drawn at full strength; use the same scale for maps that are compared.

    Returns:
        uint8 (h, w, 3).
    """
    height, width = image.shape[:2]
    large = cv2.resize(
        np.asarray(evidence, dtype=np.float64), (width, height), interpolation=cv2.INTER_LINEAR
    )
    value = np.clip(large / scale, -1, 1) if scale > 0 else np.zeros_like(large)
    cover = STRONGEST_COVER * np.abs(value)[..., None]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float64)
    return np.asarray(np.rint((1 - cover) * grey + cover * evidence_colours(value)), dtype=np.uint8)


def overlay_row(image: Pixels, maps: NDArray[np.floating], *, side: int = 128, gap: int = 4) -> Pixels:
    """The image and its maps side by side, all maps on the scale of the strongest of them.

    Args:
        image: uint8 (h, w, 3).
        maps: (m, h', w'), signed, such as predicted class, true class, and their difference.
        side: height and width of each picture, in pixels.
        gap: white pixels between two pictures.

    Returns:
        uint8 (side, (m + 1) side + m gap, 3).
    """
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    scale = scale_of(maps)
    white = np.full((side, gap, 3), 255, dtype=np.uint8)
    parts = [large]
    for evidence in maps:
        parts += [white, map_overlay(large, evidence, scale=scale)]
    return np.concatenate(parts, axis=1)


def scale_of(maps: NDArray[np.floating]) -> float:
    """The largest absolute evidence of any cell, which is the common scale of the maps in a row."""
    return float(np.abs(maps).max())


def png_bytes(picture: Pixels) -> bytes:
    """The picture as a PNG file."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def webp_bytes(picture: Pixels, *, quality: int = 95) -> bytes:
    """The picture as a WebP file: at quality 95 a seventh of a PNG's size, lossless above 100."""
    pixels, wanted = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality]
    _, encoded = cv2.imencode(".webp", pixels, wanted)
    return encoded.tobytes()
