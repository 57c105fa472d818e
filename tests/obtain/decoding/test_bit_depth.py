"""The range of deep images: from the data, shared by images of one kind, apart across a gap."""

import io

import numpy as np
import pytest
from PIL import Image

from deepsight.obtain import load_dataset
from deepsight.obtain.decoding.bit_depth import Depth, common_tops, top_of


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 255), (255, 255), (256, 1023), (4080, 4095), (4095, 4095), (9000, 16383), (65535, 65535),
     (70_000, 131_071)],
)  # fmt: skip
def test_the_range_is_the_smallest_usual_one_that_holds_the_values(most, top):
    assert top_of(Depth("PNG uint16", most)) == top


@pytest.mark.parametrize(("most", "top"), [(0.3, 1), (1.0, 1), (200.5, 255)])
def test_fractions_reach_to_one(most, top):
    assert top_of(Depth("TIFF float32", most)) == top


def tops(*most, kind="PNG uint16"):
    found = common_tops({row: Depth(kind, value) for row, value in enumerate(most)})
    return [found[row] for row in range(len(most))]


def test_images_of_one_kind_share_a_range_so_that_dark_ones_stay_dark():
    assert tops(4000, 900, 3000, 60, 1500) == [4095] * 5
    assert tops(65_000, 9_000, 30_000, 2_500) == [65_535] * 4


def test_a_gap_tells_two_cameras_apart():
    assert tops(4080, 65_535) == [4095, 65_535]
    assert tops(3900, 60_000, 4000, 65_000, 3500) == [4095, 65_535, 4095, 65_535, 4095]


def test_a_black_frame_is_no_camera():
    assert tops(*[4000] * 40, 200) == [4095] * 41
    assert tops(100, 4000) == [4095, 4095]  # it does not reach the upper half of 255


def test_other_formats_do_not_share():
    depths = {0: Depth("PNG uint16", 65_535), 1: Depth("TIFF uint16", 4000)}
    assert common_tops(depths) == {0: 65_535, 1: 4095}


def test_a_folder_of_twelve_bits_keeps_its_dark_images_dark(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    most = {"a": [4095, 2048, 900, 300], "b": [3000, 4000, 1200, 2000]}
    for name, values in most.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for i, value in enumerate(values):
            file = io.BytesIO()
            Image.fromarray(np.full((8, 8), value, np.uint16)).save(file, "PNG")
            (tmp_path / "data" / name / f"{i}.png").write_bytes(file.getvalue())
    whole = load_dataset(f"folder:{tmp_path / 'data'}").split("all")
    expected = np.rint(np.array(most["a"] + most["b"]) * 255 / 4095)
    np.testing.assert_array_equal(whole.pixels()[:, 0, 0, 0], expected)


def test_a_kind_that_never_reaches_beyond_seven_bits_ends_there():
    assert tops(15, 9, 3) == [15] * 3
    assert tops(100, 60) == [127] * 2
    assert tops(100) == [255]  # one image alone may be dark
    assert tops(0, 0) == [255] * 2


@pytest.mark.parametrize("most", [1.0000001, 1.06])
def test_what_resizing_adds_to_fractions_makes_no_image_black(most):
    assert top_of(Depth("TIFF float32", most)) == 1
