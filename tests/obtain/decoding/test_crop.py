"""Images of any size, mode and format as squares, against Pillow's own operations and by hand."""

import io
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deepsight.obtain.decoding import crop
from deepsight.obtain.decoding.bit_depth import Depth
from deepsight.obtain.decoding.crop import Unreadable, centred_box, decode_picture, decode_square

RED = (200, 30, 10)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(width, height, seed=0):
    """Smooth colour, as a photograph has."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def test_an_image_of_the_working_size_is_unchanged(cifar10):
    pixels = cifar10[0].pixels(3)
    np.testing.assert_array_equal(decode_square(encoded(Image.fromarray(pixels)), side=32), pixels)


@pytest.mark.parametrize(("width", "height"), [(100, 64), (64, 100), (300, 200)])
def test_it_is_the_shortest_side_resized_and_the_centre_cropped(width, height):
    image = photo(width, height)
    scale = 64 / min(width, height)
    resized = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    left, top = (resized.width - 64) // 2, (resized.height - 64) // 2
    expected = np.asarray(resized.crop((left, top, left + 64, top + 64)), dtype=np.int64)
    received = decode_square(encoded(image), side=64).astype(np.int64)
    # The other order of the two steps moves the picture by less than a pixel.
    assert np.abs(received - expected).mean() < 2


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_square_is_the_largest_and_is_centred(width, height):
    left, top, right, bottom = centred_box(width, height)
    assert right - left == bottom - top == min(width, height)
    assert (left + right, top + bottom) == (width, height)
    assert left >= 0
    assert top >= 0


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(mode):
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    pixels = decode_square(encoded(photo(80, 70).convert(mode), kind), side=16)
    assert pixels.shape == (16, 16, 3)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_the_common_formats_keep_their_colour(kind):
    pixels = decode_square(encoded(Image.new("RGB", (40, 30), RED), kind), side=16)
    assert np.abs(pixels.astype(int) - RED).max() <= 6


def test_transparent_pixels_lie_on_white():
    image = Image.new("RGBA", (10, 10), (*RED, 0))
    assert (decode_square(encoded(image), side=10) == 255).all()


def test_a_transparent_palette_colour_lies_on_white():
    image = Image.new("P", (10, 10), 0)
    image.putpalette([*RED, 0, 0, 0])
    assert (decode_square(encoded(image, transparency=0), side=10) == 255).all()


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (65535, 255), (32768, 128), (257, 1)])
def test_sixteen_bit_greys_are_scaled_by_the_range_that_is_given(value, expected):
    image = Image.fromarray(np.full((10, 10), value, np.uint16))
    found = decode_picture(encoded(image), shape=(8, 8), top=65535)
    assert (found.pixels == expected).all()
    assert found.depth == Depth("PNG uint16", value)


@pytest.mark.parametrize(
    ("numbers", "kind", "top"),
    [
        (np.uint16, "PNG", 65535), (np.uint16, "TIFF", 4095), (np.int32, "TIFF", 255),
        (np.float32, "TIFF", 1.0),
    ],
)  # fmt: skip
def test_without_it_the_range_is_found_from_the_image(numbers, kind, top):
    values = np.linspace(0, top, 100).reshape(10, 10).astype(numbers)
    found = decode_picture(encoded(Image.fromarray(values), kind), shape=(10, 10)).pixels
    np.testing.assert_allclose(found[..., 0], values.astype(float) * 255 / top, atol=0.51)


def test_colours_of_twelve_bits_are_read_in_full():
    values = np.random.default_rng(0).integers(0, 4096, (10, 10, 3)).astype(np.uint16)
    values[0, 0] = 4095
    content = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    found = decode_picture(content, shape=(10, 10)).pixels
    np.testing.assert_allclose(found, values * (255 / 4095), atol=0.51)


@pytest.mark.parametrize("note", [b"Exif\0\0", b"Exif\0\0\0\x08\0\x02\x01\x12\0\x03", b"junk"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_whose_note_is_damaged_is_not_turned(kind, note):
    plain, noted = (encoded(photo(40, 30), kind, **more) for more in ({}, {"exif": note}))
    assert plain != noted
    np.testing.assert_array_equal(decode_square(plain, side=8), decode_square(noted, side=8))


def test_the_time_of_exposure_is_read():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    found = decode_picture(encoded(photo(40, 30), "JPEG", exif=exif), shape=(8, 8)).taken
    assert found == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp()
    assert np.isnan(decode_picture(encoded(photo(40, 30), "JPEG"), shape=(8, 8)).taken)


def test_the_ways_to_fit_a_picture():
    image = Image.new("RGB", (40, 20), "blue")
    image.paste((255, 0, 0), (0, 0, 10, 20))  # the left quarter is red: the centred square has none of it
    crop, pad, squash, whole = (
        decode_picture(encoded(image), shape=shape, fit=fit)
        for fit, shape in (("crop", (8, 8)), ("pad", (8, 8)), ("squash", (8, 8)), ("whole", (8, 16)))
    )
    assert crop.pixels[:, 2:, 0].max() == 0
    assert crop.cut == 0.5
    assert (pad.pixels[[0, 1, 6, 7]] == 0).all()
    assert pad.pixels[4, 0].tolist() == squash.pixels[4, 0].tolist() == [255, 0, 0]
    assert whole.pixels.shape == (8, 16, 3)
    assert pad.cut == squash.cut == whole.cut == 0
    with pytest.raises(Unreadable, match="40 x 20 pixels, but fit=whole"):
        decode_picture(encoded(image), shape=(8, 8), fit="whole")


def test_the_camera_s_orientation_is_applied():
    image = Image.new("RGB", (20, 20), RED)
    image.paste((0, 0, 255), (0, 0, 20, 10))  # blue above
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    pixels = decode_square(encoded(image, exif=exif), side=8)
    assert pixels[-1, 0].tolist() == [0, 0, 255]
    assert pixels[0, 0].tolist() == list(RED)


def test_the_first_of_several_frames_is_taken():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("blue", "red")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_square(content, side=8)[0, 0].tolist() == [0, 0, 255]


def test_a_large_jpeg_that_is_decoded_small_looks_the_same(monkeypatch):
    content = encoded(photo(1600, 1200), "JPEG", quality=95)
    small = decode_square(content, side=64).astype(int)
    monkeypatch.setattr(Image.Image, "draft", lambda self, mode, size: None)
    whole = decode_square(content, side=64).astype(int)
    assert np.abs(small - whole).mean() < 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file, not an image"),
        (b"\n<html>404", "a web page, not an image"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull fetches the file"),
        (b"Rar!\x1a\7\0", "a rar archive, which is none of the formats"),
        (b"hello", "not an image in one of the formats .*PNG"),
        (encoded(photo(64, 64))[:1000], "truncated|broken|unrecognized"),
        (encoded(Image.fromarray(np.full((9, 9), -1, np.float32)), "TIFF"), "values from -1 to -1"),
        (encoded(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"), "some values are NaN"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(content, reason):
    with pytest.raises(Unreadable, match=reason):
        decode_square(content, side=32)


def test_the_reason_is_the_same_each_time():
    def reason():
        with pytest.raises(Unreadable) as caught:
            decode_square(b"hello", side=32)
        return str(caught.value)

    assert reason() == reason()


def test_a_huge_image_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(crop, "MOST_PIXELS", 100)
    with pytest.raises(Unreadable, match="20 x 20 pixels"):
        decode_square(encoded(photo(20, 20)), side=8)


def test_formats_that_call_programs_are_not_opened():
    with pytest.raises(Unreadable, match="PostScript, which is none of the formats"):
        decode_square(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", side=8)


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (2, 40)])
def test_what_is_too_small_to_show_anything_is_unreadable(size):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "PNG")
    with pytest.raises(Unreadable, match="expected at least 3 a side"):
        decode_picture(file.getvalue(), shape=(8, 8))


@pytest.mark.parametrize(("name", "frames"), [("GIF", 3), ("TIFF", 3), ("WEBP", 3), ("PNG", 3), ("MPO", 1)])
def test_frames_are_counted_and_the_first_is_taken(name, frames):
    file, greys = io.BytesIO(), [Image.new("RGB", (16, 16), (90 * i,) * 3) for i in range(3)]
    greys[0].save(file, name, save_all=True, append_images=greys[1:])
    picture = decode_picture(file.getvalue(), shape=(8, 8))
    assert picture.frames == frames
    assert picture.pixels.max() < 5


def test_the_transparent_value_of_a_deep_png_is_white():
    values = np.full((8, 8), 40_000, np.uint16)
    values[:, 4:] = 700
    image = encoded(Image.fromarray(values), "PNG", transparency=700)
    grey = decode_square(image, side=8)[0, :, 0]
    assert grey.tolist() == [156] * 4 + [255] * 4
