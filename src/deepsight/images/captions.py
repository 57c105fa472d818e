"""Captions below pictures, in a font that has their letters, or in other words where no font has."""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deepsight.core.array_types import Pixels
from deepsight.images.overlay import evidence_colours

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
TEXT, LINE = 13, 19  # height of letters and of lines, in pixels
INK = (32, 32, 32)
# Fonts that systems install, by the name of their file. The font of Pillow has the letters of ASCII alone.
INSTALLED = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc", "msyh.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc",
    "YuGothM.ttc", "malgun.ttf", "AppleSDGothicNeo.ttc", "leelawad.ttf",
)  # fmt: skip
ABSENT = "\uffff"  # a code that is no character: fonts draw it as what they do not have


class Caption(NamedTuple):
    """The words below a picture, and ASCII words that are drawn if no font has the letters of the first."""

    words: str
    otherwise: str


def captioned_row(
    picture: Pixels, captions: Sequence[Caption], note: str, *, scale: float, gap: int = 4
) -> Pixels:
    """A row of pictures with their captions below them, then a note and a colour bar in logits.

    Args:
        picture: from `overlay_row`, with as many squares as there are captions.
        captions: of the squares, left to right; shortened to fit.
        note: such as the layer.
        scale: the evidence at full colour, in logits.
        gap: as passed to `overlay_row`.

    Returns:
        uint8 (side + two lines of text, the width of `picture`, 3).
    """
    side, width = picture.shape[:2]
    sheet = Image.new("RGB", (width, side + 2 * LINE), "white")
    sheet.paste(Image.fromarray(picture), (0, 0))
    draw, font = ImageDraw.Draw(sheet), plain_font()
    for place, caption in enumerate(captions):
        draw_caption(draw, (place * (side + gap), side + 2), caption, side)
    values = evidence_colours(np.linspace(-1, 1, side - 2))
    bar = np.broadcast_to(np.rint(values).astype(np.uint8), (TEXT - 3, side - 2, 3))
    most, top = f"+{scale:.2g} logits", side + LINE
    left = width - side - round(font.getlength(most)) - 4
    sheet.paste(Image.fromarray(np.ascontiguousarray(bar)), (left, top + 4))
    draw.text((left - 4, top + 2), f"-{scale:.2g}", fill=INK, font=font, anchor="ra")
    draw.text((width - 1, top + 2), most, fill=INK, font=font, anchor="ra")
    ascii_note = note.encode("ascii", "ignore").decode()
    draw_caption(draw, (0, top + 2), Caption(note, ascii_note), left - 50)
    return np.asarray(sheet)


def captioned_strip(
    pictures: Sequence[Pixels], captions: Sequence[Caption], *, side: int = 128, gap: int = 4
) -> Pixels:
    """The pictures as squares of `side` pixels, left to right, each with its caption below.

    Args:
        pictures: m of them, uint8 (h, w, 3), of any sizes.
        captions: one for each picture; shortened to fit.
        side, gap: in pixels.

    Returns:
        uint8 (side + a line of text, m side + (m - 1) gap, 3).
    """
    m = len(pictures)
    sheet = Image.new("RGB", (m * side + (m - 1) * gap, side + LINE), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = place * (side + gap)
        square = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        sheet.paste(Image.fromarray(np.ascontiguousarray(square)), (left, 0))
        draw_caption(draw, (left, side + 2), caption, side)
    return np.asarray(sheet)


def draw_caption(draw: ImageDraw.ImageDraw, place: tuple[int, int], caption: Caption, width: int) -> None:
    """Draw a caption at a place, shortened to `width` pixels."""
    words, font = drawn_words(caption)
    draw.text(place, fitted_text(words, font, width), fill=INK, font=font)


def drawn_words(caption: Caption) -> tuple[str, Font]:
    """What is drawn: the words, the words without accents, or the other words; and the font."""
    words = unicodedata.normalize("NFC", caption.words)
    for candidate in (words, without_accents(words)):
        font = next((font for font in fonts_for(candidate) if has_letters(font, candidate)), None)
        if font is not None:
            return candidate, font
    return caption.otherwise, plain_font()


def without_accents(words: str) -> str:
    """The text without its accents; letters of other scripts stay."""
    return "".join(char for char in unicodedata.normalize("NFKD", words) if not unicodedata.combining(char))


def fitted_text(text: str, font: Font, width: int) -> str:
    """The text, shortened with an ellipsis to at most `width` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


@cache
def plain_font() -> Font:
    """The font of Pillow."""
    return ImageFont.load_default(TEXT)


def fonts_for(text: str) -> Iterator[Font]:
    """The fonts to try: that of Pillow, then installed ones if the text is not ASCII."""
    yield plain_font()
    for name in () if text.isascii() else INSTALLED:
        font = installed_font(name)
        if font is not None:
            yield font


@cache
def installed_font(name: str) -> ImageFont.FreeTypeFont | None:
    """A font of the system by the name of its file; None where it is not installed."""
    try:
        return ImageFont.truetype(name, TEXT)
    except OSError:
        return None


def has_letters(font: Font, text: str) -> bool:
    """Whether a font has each character of a text: it draws others as it draws what it does not have."""
    absent = glyph(font, ABSENT)
    return all(glyph(font, char) != absent for char in set(text) if not char.isspace())


def glyph(font: Font, char: str) -> tuple[tuple[int, int], bytes]:
    """The size and the pixels of a character."""
    mask = font.getmask(char)
    return mask.size, bytes(mask)
