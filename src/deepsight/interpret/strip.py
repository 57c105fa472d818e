"""Several pictures in a row, each with a word below it."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deepsight.interpret.overlay import INK, LINE, TEXT, Picture, fitting


def strip(pictures: Sequence[Picture], words: Sequence[str], *, side: int = 128, gap: int = 4) -> Picture:
    """The pictures, made squares of `side` pixels, left to right.

    Args:
        pictures: uint8 (h, w, 3), of any sizes.
        words: one a picture, written as `overlay.fitting` can.
        side, gap: pixels.

    Returns:
        uint8 (side + a line of text, m side + (m - 1) gap, 3).
    """
    m = len(pictures)
    sheet = Image.new("RGB", (m * side + (m - 1) * gap, side + LINE), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for place, (picture, word) in enumerate(zip(pictures, words, strict=True)):
        left = place * (side + gap)
        square = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        sheet.paste(Image.fromarray(np.ascontiguousarray(square)), (left, 0))
        draw.text((left, side + 2), fitting(word, font, side), fill=INK, font=font)
    return np.asarray(sheet)
