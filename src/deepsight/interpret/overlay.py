"""Evidence maps as pictures that a person can read: one colour scale in a row, zero always transparent."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# From evidence against the class (blue) over none (white) to evidence for it (red): the colours of
# ColorBrewer's RdBu (Brewer 2003), whose lightness falls evenly from the middle to both ends.
ANCHORS = np.array(
    [(5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), (247, 247, 247),
     (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31)],
    dtype=np.float64,
)  # fmt: skip
STRONGEST_COVER = 0.8


def colours(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """RGB in 0 to 255 for values in -1 (against) to 1 (for), shape (..., 3); values outside are clipped."""
    place = (np.clip(values, -1, 1) + 1) / 2 * (len(ANCHORS) - 1)
    return np.stack([np.interp(place, np.arange(len(ANCHORS)), ANCHORS[:, c]) for c in range(3)], axis=-1)


def overlay(image: Picture, evidence: NDArray[np.floating], *, scale: float) -> Picture:
    """The map laid over its image.

    Red is evidence for the class, blue against it. What is covered less has less evidence, so a map without
    evidence leaves the image as it is (where rescaling each map to 0..1 would make noise look certain).

    Args:
        image: uint8 (h, w, 3).
        evidence: (h', w'), signed; enlarged bilinearly.
        scale: the evidence that is drawn at full strength; the same for all maps that are compared.

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
    return np.asarray(np.rint((1 - cover) * grey + cover * colours(value)), dtype=np.uint8)


def row(image: Picture, maps: NDArray[np.floating], *, side: int = 128, gap: int = 4) -> Picture:
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
    scale = float(np.abs(maps).max())
    white = np.full((side, gap, 3), 255, dtype=np.uint8)
    parts = [large]
    for evidence in maps:
        parts += [white, overlay(large, evidence, scale=scale)]
    return np.concatenate(parts, axis=1)


def png(picture: Picture) -> bytes:
    """The picture as a PNG file's bytes."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()
