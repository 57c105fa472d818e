"""Own images are stored as large as the study needs them, and no larger than they are."""

import io

import numpy as np
import pytest
from PIL import Image

from deepsight.core.errors import DeepSightError
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.stored_size import MANY, stored_shape


def listing(*sizes, n=None):
    """Images of these sizes in turn; None is a file that cannot be read."""
    count = n or len(sizes)

    def read(row):
        if (size := sizes[row % len(sizes)]) is None:
            return b"no image"
        file = io.BytesIO()
        Image.new("RGB", size).save(file, "PNG")
        return file.getvalue()

    return Listing([str(row) for row in range(count)], np.zeros(count, dtype=np.int64), read)


def side(*parts, resolution=None, said=None, **options):
    listings = {str(number): part for number, part in enumerate(parts)}
    log = (said if said is not None else []).append
    address = DataAddress("folder", "x", options)
    height, width = stored_shape(address, listings, resolution=resolution, log=log)
    assert height == width
    return height


@pytest.mark.parametrize(("resolution", "expected"), [(None, 128), (64, 64), (224, 224), (512, 300)])
def test_photographs_are_stored_at_the_resolution_that_is_asked_for(resolution, expected):
    assert side(listing((400, 300)), resolution=resolution) == expected


def test_small_images_are_not_enlarged_on_disk():
    said = []
    assert side(listing((32, 32)), resolution=128, said=said) == 32
    assert "median side is 32 px" in said[0]
    assert side(listing((5, 9))) == 8


@pytest.mark.slow
def test_the_median_decides_and_what_cannot_be_read_does_not_count():
    assert side(listing((100, 90), (500, 90), (4000, 3000), None)) == 90
    assert side(listing(None)) == 128
    assert side(listing((100, 100)), listing((60, 60), (60, 60))) == 60


def test_damaged_exif_leaves_the_size_known():
    file = io.BytesIO()
    Image.new("RGB", (60, 30)).save(file, "PNG", exif=b"nonsense that is no TIFF")
    parts = {"all": Listing(["a"], np.zeros(1, dtype=np.int64), lambda _: file.getvalue())}
    address = DataAddress("folder", "x", {"fit": "whole", "side": "16"})
    assert stored_shape(address, parts, resolution=None, log=lambda _: None) == (16, 32)


@pytest.mark.slow
def test_very_many_images_are_stored_small_unless_more_is_asked():
    assert side(listing((400, 300), n=MANY + 1)) == 64
    assert side(listing((400, 300), n=MANY + 1), resolution=96) == 96


def test_the_option_wins_and_enlarging_is_said():
    said = []
    assert side(listing((400, 300)), resolution=128, said=said, side="64") == 64
    assert said == ["Images are stored at 64 px, as asked, and enlarged to --resolution 128."]


@pytest.mark.parametrize(("fit", "expected"), [("crop", 30), ("pad", 60), ("squash", 60)])
def test_what_is_kept_whole_is_stored_as_large_as_its_longer_side(fit, expected):
    assert side(listing((60, 30)), fit=fit) == expected


def test_oblong_images_of_one_shape_can_be_stored_as_they_are():
    address = DataAddress("folder", "x", {"fit": "whole", "side": "16"})
    parts = {"all": listing((64, 32), (128, 64))}
    assert stored_shape(address, parts, resolution=None, log=lambda _: None) == (16, 32)
    with pytest.raises(DeepSightError, match=r"images of one shape for fit=whole, received 32 x 64"):
        stored_shape(address, {"all": listing((64, 32), (64, 32), (32, 64))}, resolution=None, log=print)
