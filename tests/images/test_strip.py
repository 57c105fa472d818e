"""A strip shows its pictures side by side, in their colours, whatever their sizes and words."""

import numpy as np

from deepsight.images.overlay import LINE, strip


def flat(colour: tuple[int, int, int], h: int, w: int) -> np.ndarray:
    return np.full((h, w, 3), colour, dtype=np.uint8)


def test_each_picture_has_its_place() -> None:
    colours = [(200, 10, 10), (10, 200, 10), (10, 10, 200)]
    sizes = [(8, 8), (300, 200), (1, 5)]
    made = strip([flat(c, *s) for c, s in zip(colours, sizes, strict=True)], ["a", "b", "c"], side=40, gap=4)
    assert made.shape == (40 + LINE, 3 * 40 + 2 * 4, 3)
    for place, colour in enumerate(colours):
        left = place * 44
        assert (made[:40, left : left + 40] == colour).all()
    assert (made[:40, 40:44] == 255).all()


def test_a_word_is_drawn_under_its_picture_alone_and_never_beyond() -> None:
    pictures = [flat((0, 0, 0), 4, 4)] * 2
    blank, long = (
        strip(pictures, ["", ""], side=40),
        strip(pictures, ["", "a very long name indeed"], side=40),
    )
    changed = np.flatnonzero((blank != long).any(axis=(0, 2)))
    assert changed.min() >= 44
    assert changed.max() < 84
