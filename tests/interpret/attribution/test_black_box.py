"""Maps from outside find the part of the image that the answer comes from."""

import numpy as np
import pytest

from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.black_box import black_box_attributors


class Corner:
    """Answers by the brightness of the top left corner alone."""

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        bright = pixels[:, :8, :8].mean(axis=(1, 2, 3)) / 25 - 5
        return np.stack([np.zeros_like(bright), bright], axis=1).astype(np.float32)


@pytest.mark.parametrize("attributor", black_box_attributors(Corner(), seed=0), ids=lambda a: a.method)
def test_the_corner_has_the_evidence(attributor: Attributor) -> None:
    images = np.full((3, 56, 56, 3), 230, np.uint8)
    both = np.array([[1, 0]] * 3)
    maps = attributor.maps(images, both)
    assert maps.shape == (3, 2, 7, 7)
    assert (maps[:, 0].reshape(3, -1).argmax(axis=1) == 0).all()
    assert (maps[:, 1, 0, 0] < 0).all()
    assert attributor.exact(images) is None
    assert attributor.for_mosaics(2).maps(images, both).shape[2] >= 8
