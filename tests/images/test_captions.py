"""Each picture has its caption below it, in letters that a font has."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from deepsight.images import captions as captions_module
from deepsight.images.captions import (
    INSTALLED,
    LINE,
    Caption,
    captioned_row,
    captioned_strip,
    drawn_words,
    has_letters,
    installed_font,
    plain_font,
)
from deepsight.images.overlay import evidence_colours, overlay_row, scale_of


def test_a_row_names_its_squares_and_its_scale(image: np.ndarray) -> None:
    maps = np.stack([np.full((4, 4), 2.0), np.full((4, 4), -2.0), np.full((4, 4), 4.0)])
    squares = overlay_row(image, maps)
    captions = plain("cat", "for dog", "for cat", "dog - cat")
    shown = captioned_row(squares, captions, "top: 4 x 4 cells", scale=scale_of(maps))
    height, width = squares.shape[:2]
    assert np.array_equal(shown[:height], squares)
    assert shown.shape[1] == width
    footer = shown[height:]
    for left in (0, 132, 264, 396):  # dark letters below each square
        assert footer[:19, left : left + 60].min() < 100
    strongest = evidence_colours(np.array(1.0)).astype(np.uint8)
    assert (footer == strongest).all(axis=2).any()  # the end of the colour bar


def test_names_that_do_not_fit_are_cut(image: np.ndarray) -> None:
    squares = overlay_row(image, np.ones((1, 4, 4)))
    shown = captioned_row(squares, plain("a" * 80, "b"), "a note " * 40, scale=1.0)
    assert shown[128:147, 128:132].min() == 255  # nothing runs over into the next square


def test_a_name_is_drawn_in_a_font_that_has_its_letters() -> None:
    """The font of Pillow has no Cyrillic letters; a common font of systems has."""
    if not any(installed_font(name) for name in INSTALLED):
        pytest.skip("no such font is installed")
    words, font = drawn_words(Caption("кошка (0.90)", "row 7 (0.90)"))
    assert words == "кошка (0.90)"
    assert font is not plain_font()
    different = {np.asarray(drawn(Caption(name, "row"))).tobytes() for name in ("кошка", "собака", "row")}
    assert len(different) == 3


def test_a_name_that_no_font_has_is_replaced_by_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions_module, "INSTALLED", ())
    assert drawn_words(Caption("кошка (0.90)", "row 7 (0.90)"))[0] == "row 7 (0.90)"
    assert drawn_words(Caption("crème brûlée (0.90)", "row 7"))[0] == "creme brulee (0.90)"
    assert drawn_words(Caption("cat (0.90)", "row 7")) == ("cat (0.90)", plain_font())
    assert np.array_equal(drawn(Caption("猫", "row 7")), drawn(Caption("row 7", "")))


def test_the_letters_of_a_font_are_those_of_its_own_table() -> None:
    """A second opinion: the table of characters in the file of the font."""
    fonts = pytest.importorskip("fontTools.ttLib", reason="fontTools reads the file")
    matplotlib = pytest.importorskip("matplotlib", reason="it brings a font")
    file = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    font, held = ImageFont.truetype(file, 13), fonts.TTFont(file).getBestCmap()
    for text in ("cat", "кошка", "κατ", "猫", "개", "é", "ñ×±"):
        assert has_letters(font, text) == all(ord(char) in held for char in text), text


def plain(*names: str) -> list[Caption]:
    return [Caption(name, name) for name in names]


def drawn(caption: Caption) -> np.ndarray:
    return captioned_strip([flat((0, 0, 0), 4, 4)], [caption], side=120)


def flat(colour: tuple[int, int, int], h: int, w: int) -> np.ndarray:
    return np.full((h, w, 3), colour, dtype=np.uint8)


def test_each_picture_has_its_place() -> None:
    colours = [(200, 10, 10), (10, 200, 10), (10, 10, 200)]
    sizes = [(8, 8), (300, 200), (1, 5)]
    made = captioned_strip(
        [flat(c, *s) for c, s in zip(colours, sizes, strict=True)], plain("a", "b", "c"), side=40, gap=4
    )
    assert made.shape == (40 + LINE, 3 * 40 + 2 * 4, 3)
    for place, colour in enumerate(colours):
        left = place * 44
        assert (made[:40, left : left + 40] == colour).all()
    assert (made[:40, 40:44] == 255).all()


def test_a_word_is_drawn_under_its_picture_alone_and_never_beyond() -> None:
    pictures = [flat((0, 0, 0), 4, 4)] * 2
    blank, long = (
        captioned_strip(pictures, plain("", ""), side=40),
        captioned_strip(pictures, plain("", "a very long name indeed"), side=40),
    )
    changed = np.flatnonzero((blank != long).any(axis=(0, 2)))
    assert changed.min() >= 44
    assert changed.max() < 84
