"""What a person sees: the same scale in a row, and nothing where there is no evidence."""

import cv2
import numpy as np

from deepsight.images.overlay import (
    evidence_colours,
    map_overlay,
    overlay_row,
    png_bytes,
)


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
