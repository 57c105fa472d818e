"""Images that became nearly one grey are noticed; those with little on them are not."""

import numpy as np
import pytest

from deepsight.obtain.decoding.contrast import log_contrast


def said(images) -> str:
    lines: list[str] = []
    log_contrast(images, lines.append)
    return " ".join(lines)


@pytest.mark.parametrize(("low", "high"), [(0, 7), (120, 130), (0, 0)])
def test_faint_images_are_said(low, high):
    images = np.random.default_rng(0).integers(low, high + 1, (9, 16, 16, 3)).astype(np.uint8)
    assert "The images have little contrast" in said(images)


def test_thin_strokes_on_white_are_enough():
    images = np.full((9, 16, 16, 3), 255, np.uint8)
    images[:, 8, 2:14] = 0
    assert said(images) == ""


def test_one_dark_image_among_others_is_no_matter():
    images = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3)).astype(np.uint8)
    images[0] = 0
    assert said(images) == ""
