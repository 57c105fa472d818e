"""What a person sees: the same scale in a row, and nothing where there is no evidence."""

import cv2
import numpy as np
import pytest

from deepsight.images.overlay import (
    LINE,
    ascii_text,
    captioned_row,
    captioned_strip,
    evidence_colours,
    map_overlay,
    overlay_row,
    png_bytes,
    scale_of,
)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(32, 32, 3), dtype=np.uint8)


def test_no_evidence_leaves_the_grey_image(image: np.ndarray) -> None:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    for scale in (1.0, 0.0):
        shown = map_overlay(image, np.zeros((4, 4)), scale=scale)
        assert (shown == grey[..., None]).all()


def test_red_is_for_and_blue_is_against(image: np.ndarray) -> None:
    evidence = np.zeros((2, 2))
    evidence[0, 0], evidence[1, 1] = 1, -1
    shown = map_overlay(image, evidence, scale=1.0).astype(int)
    assert shown[0, 0, 0] > shown[0, 0, 2]
    assert shown[-1, -1, 2] > shown[-1, -1, 0]


def test_lightness_falls_evenly_to_both_ends() -> None:
    rgb = evidence_colours(np.linspace(-1, 1, 41))[None].astype(np.uint8)
    lightness = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert (np.diff(lightness[:21]) >= 0).all()
    assert (np.diff(lightness[20:]) <= 0).all()
    assert abs(lightness[0] - lightness[-1]) < 15


def test_maps_of_a_row_share_their_scale(image: np.ndarray) -> None:
    maps = np.stack([np.full((4, 4), 2.0), np.full((4, 4), 0.5)])
    shown = overlay_row(image, maps, side=64, gap=4)
    assert shown.shape == (64, 3 * 64 + 2 * 4, 3)
    large = cv2.resize(image, (64, 64), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(shown[:, 68:132], map_overlay(large, maps[0], scale=2.0))
    assert np.array_equal(shown[:, 136:200], map_overlay(large, maps[1], scale=2.0))


def test_png_comes_back(image: np.ndarray) -> None:
    decoded = cv2.imdecode(np.frombuffer(png_bytes(image), dtype=np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), image)


def test_a_row_names_its_squares_and_its_scale(image: np.ndarray) -> None:
    maps = np.stack([np.full((4, 4), 2.0), np.full((4, 4), -2.0), np.full((4, 4), 4.0)])
    squares = overlay_row(image, maps)
    names = ("cat", "for dog", "for cat", "dog - cat")
    shown = captioned_row(squares, names, "top: 4 x 4 cells", scale=scale_of(maps))
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
    shown = captioned_row(squares, ("a" * 80, "b"), "a note " * 40, scale=1.0)
    assert shown[128:147, 128:132].min() == 255  # nothing runs over into the next square


def test_words_of_any_script_are_drawn_in_the_letters_that_there_are() -> None:
    assert ascii_text("crème brûlée (0.90)") == "creme brulee (0.90)"
    assert ascii_text("猫 (0.80)").strip() == "(0.80)"
    squares = np.zeros((40, 84, 3), dtype=np.uint8)
    with_script, without = (
        captioned_row(squares, (f"{word} 0.9", "b"), "", scale=1.0) for word in ("猫", "")
    )
    assert np.array_equal(with_script, without)


def flat(colour: tuple[int, int, int], h: int, w: int) -> np.ndarray:
    return np.full((h, w, 3), colour, dtype=np.uint8)


def test_each_picture_has_its_place() -> None:
    colours = [(200, 10, 10), (10, 200, 10), (10, 10, 200)]
    sizes = [(8, 8), (300, 200), (1, 5)]
    made = captioned_strip(
        [flat(c, *s) for c, s in zip(colours, sizes, strict=True)], ["a", "b", "c"], side=40, gap=4
    )
    assert made.shape == (40 + LINE, 3 * 40 + 2 * 4, 3)
    for place, colour in enumerate(colours):
        left = place * 44
        assert (made[:40, left : left + 40] == colour).all()
    assert (made[:40, 40:44] == 255).all()


def test_a_word_is_drawn_under_its_picture_alone_and_never_beyond() -> None:
    pictures = [flat((0, 0, 0), 4, 4)] * 2
    blank, long = (
        captioned_strip(pictures, ["", ""], side=40),
        captioned_strip(pictures, ["", "a very long name indeed"], side=40),
    )
    changed = np.flatnonzero((blank != long).any(axis=(0, 2)))
    assert changed.min() >= 44
    assert changed.max() < 84
