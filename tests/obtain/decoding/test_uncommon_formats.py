"""Arrays of NumPy and TIFF files that Pillow does not read, against what was written."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from deepsight.obtain.decoding import crop
from deepsight.obtain.decoding.crop import Unreadable, decode_picture
from deepsight.obtain.decoding.high_bit_depth import depth_of_file

RGB = np.random.default_rng(0).integers(0, 256, (10, 12, 3)).astype(np.uint8)


def array_file(values) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def tiff(values, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", **options)
    return file.getvalue()


def opencv(values, suffix: str = ".tif") -> bytes:
    return cv2.imencode(suffix, values)[1].tobytes()


@pytest.mark.parametrize(
    "content",
    [
        array_file(RGB), array_file(RGB.transpose(2, 0, 1)), array_file(RGB / 255),
        array_file(RGB.astype(np.uint16) * 257), opencv((RGB[..., ::-1] / 255).astype(np.float32)),
        opencv(np.dstack([RGB[..., ::-1], np.full((10, 12), 255)]).astype(np.uint16) * 16, ".png"),
    ],
    ids=["array", "channels first", "fractions", "16 bits", "float TIFF", "12 bits and a constant alpha"],
)  # fmt: skip
def test_the_colours_are_those_that_were_written(content):
    found = decode_picture(content, shape=(10, 12)).pixels
    np.testing.assert_allclose(found, RGB, atol=1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_where_zero_is_white_values_are_turned_round(kind):
    most = np.iinfo(kind).max
    grey = (RGB[..., 0].astype(np.float64) * (most / 255)).astype(kind)
    grey[0, :2] = 0, most
    written = grey if kind == np.uint8 else most - grey  # Pillow writes 8 bits turned round by itself
    found = decode_picture(tiff(written, tiffinfo={262: 0}), shape=(10, 12)).pixels[..., 0]
    np.testing.assert_allclose(found, grey / (most / 255), atol=1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (bytes(128) + b"DICM", "DICOM"), (b"\0\0\0\x18ftypheic", "HEIC"), (b"%PDF-1.7", "PDF"),
        (b" <svg/>", "SVG"), (b"words", "not an image in one of the formats"),
        (array_file(np.zeros((4, 5, 6, 7))), r"an array float64 of shape \(4, 5, 6, 7\)"),
        (array_file(np.zeros((2, 9))), "expected at least 3 a side"),
        (tiff(RGB[..., 0].astype(np.int32) - 99), "shift them, or cut out a window"),
        (tiff(np.full((9, 9), np.nan, np.float32)), "NaN or infinite"),
        (b"II*\0", "unpack"),
    ],
)  # fmt: skip
def test_what_is_said_of_the_rest(content, why):
    with pytest.raises(Unreadable, match=why):
        decode_picture(content, shape=(8, 8))


def test_a_huge_unusual_tiff_is_not_decoded(monkeypatch):
    monkeypatch.setattr(crop, "MOST_PIXELS", 100)
    with pytest.raises(Unreadable, match="12 x 10 pixels"):
        decode_picture(opencv(RGB.astype(np.float32)), shape=(8, 8))


def test_new_arrays_take_part_in_the_range_of_all(tmp_path):
    (tmp_path / "deep.npy").write_bytes(array_file(RGB.astype(np.uint16) * 16))
    (tmp_path / "plain.npy").write_bytes(array_file(RGB))
    depth = depth_of_file(tmp_path / "deep.npy")
    assert depth is not None
    assert depth.kind == "NumPy 3uint16"
    assert depth_of_file(tmp_path / "plain.npy") is None
