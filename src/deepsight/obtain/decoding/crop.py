"""Decode an image of any size, mode and bit depth to RGB pixels of a given shape."""

import io
import threading
import warnings
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from functools import cache
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from deepsight.core.array_types import Pixels
from deepsight.obtain.decoding.bit_depth import Depth, eight_bits, top_of
from deepsight.obtain.decoding.uncommon_formats import (
    name_of_format,
    tiff_size,
    values_of_other_file,
    what_it_is,
)

# Formats that Pillow reads by itself; others run programs (EPS) or are recognised but not read.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
MOST_PIXELS = 100_000_000
SMALL_PIXELS, PIXELS_PER_BYTE = 16_000_000, 200  # photographs have about one pixel per byte, scans a hundred
# Pillow's own warning would appear on the screen: `require_decodable_size` reports what is too large.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
SMALLEST = 3  # pixels, the smallest side on which an outline can be seen
SEVERAL_FRAMES = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")  # the second frame of a JPEG is a preview
# Images above SMALL_PIXELS are decoded one at a time, however many threads there are.
ONE_LARGE = threading.Lock()
ASPECT_TOLERANCE = 0.02  # aspect ratios that differ by less are equal: a pixel of rounding
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and its value where 0 is white
# EXIF tags: the orientation, the time of exposure, and the directory that holds the latter.
ORIENTATION, TAKEN, EXIF_IFD = 0x0112, 0x9003, 0x8769

Fit = Literal["crop", "pad", "squash", "whole"]
FITS: tuple[Fit, ...] = ("crop", "pad", "squash", "whole")
Shape = tuple[int, int]  # height and width in pixels


class Unreadable(Exception):
    """An item cannot be read; the message gives the reason in one line."""


class Picture(NamedTuple):
    """A decoded image.

    Attributes:
        pixels: uint8 (h, w, 3), RGB.
        cut: share of the image that was cropped away, 0 to 1.
        taken: the time of exposure in seconds since 1970, by the camera's clock; NaN if it is not recorded.
        depth: kind and largest value of an image with more than 8 bits per value, else None.
        frames: number of frames or pages in the file.
    """

    pixels: Pixels
    cut: float
    taken: float
    depth: Depth | None
    frames: int = 1


@cache
def readable_formats() -> tuple[str, ...]:
    """The formats that this build of Pillow supports."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def decode_square(content: bytes, *, side: int) -> Pixels:
    """The largest centred square of an image, uint8 (side, side, 3); see `decode_picture`."""
    return decode_picture(content, shape=(side, side)).pixels


def decode_picture(content: bytes, *, shape: Shape, fit: Fit = "crop", top: float | None = None) -> Picture:
    """Decode an image to a given shape, with antialiased bicubic resizing.

    Args:
        content: an encoded image; of several frames, the first is used. EXIF orientation is applied, unless
            it is damaged. Transparent pixels become white.
        shape: height and width of the result in pixels. A much larger JPEG is decoded at a half, a quarter or
            an eighth of its size, but never below twice this shape.
        fit: "crop" takes the largest centred part with this aspect ratio, "pad" the whole image with black
            bars, "squash" the whole image distorted, "whole" the whole image, which must have this aspect
            ratio.
        top: for more than 8 bits per value, the value that becomes 255; None derives it from this image.

    Raises:
        Unreadable: the content is not a complete image in a known format and mode.
    """
    try:
        with ExitStack() as turns, Image.open(io.BytesIO(content), formats=readable_formats()) as image:
            require_decodable_size(image.size, content)
            turns.enter_context(ONE_LARGE if image.width * image.height > SMALL_PIXELS else nullcontext())
            image.draft(None, (2 * shape[1], 2 * shape[0]))
            values, taken = deep_values(image, content), time_taken(image)
            if values is None:
                depth, coloured = None, rgb_image(upright(image))
            else:
                depth = depth_of(values, str(image.format))
                grey = eight_bits(values, top_of(depth) if top is None else top)
                grey = 255 - grey if is_inverted(image) else grey
                grey[transparent_values(image, values)] = 255
                coloured = rgb_image(upright(image, Image.fromarray(grey)))
            cut = cut_share(coloured, shape, fit)
            return Picture(fitted_picture(coloured, shape, fit), cut, taken, depth, frames_of(image))
    except Unreadable:
        raise
    except UnidentifiedImageError:  # its message holds a memory address
        return decode_other(content, shape, fit, top)
    except Exception as error:  # damaged files make the decoders raise almost anything
        raise Unreadable(str(error) or type(error).__name__) from error


def decode_other(content: bytes, shape: Shape, fit: Fit, top: float | None) -> Picture:
    """Decode a file in a format that Pillow does not read, as `decode_picture` does.

    Raises:
        Unreadable: it is not an image, or of a format that cannot be read.
    """
    try:
        found = other_values(content)
        if found is None:
            if (what := what_it_is(content)) is not None:
                raise Unreadable(f"{what}, not an image")
            formats, name = ", ".join(readable_formats()), name_of_format(content)
            other = f"{name}, which is none of the formats {formats}; convert it first"
            raise Unreadable(other if name else f"not an image in one of the formats {formats}")
        name, values = found
        depth = None if values.dtype == np.uint8 else depth_of(values, name)
        pixels = values if depth is None else eight_bits(values, top_of(depth) if top is None else top)
        coloured = rgb_image(Image.fromarray(np.ascontiguousarray(pixels)))
        require_decodable_size(coloured.size, content)
        return Picture(fitted_picture(coloured, shape, fit), cut_share(coloured, shape, fit), np.nan, depth)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(str(error) or type(error).__name__) from error


def other_values(content: bytes) -> tuple[str, NDArray[np.generic]] | None:
    """The format and the values of a file that Pillow does not read; None if it is not an image.

    Raises:
        Unreadable: it is too large or too small.
        ValueError: an array does not have the shape or type of an image.
    """
    if (size := tiff_size(content)) is not None:
        require_decodable_size(size, content)
    return values_of_other_file(content)


def require_decodable_size(size: tuple[int, int], content: bytes) -> None:
    """Refuse an image that is too large to decode, too large for its bytes, or too small to show anything.

    A flat drawing of 16 million pixels may have few bytes; a larger image of few bytes is a decompression
    bomb. Images of a pixel or two count the visitors of web pages.

    Raises:
        Unreadable: it is one of these.
    """
    pixels, justified = size[0] * size[1], max(SMALL_PIXELS, PIXELS_PER_BYTE * len(content))
    if min(size) < SMALLEST:
        raise Unreadable(f"{size[0]} x {size[1]} pixels, expected at least {SMALLEST} a side")
    if pixels > min(MOST_PIXELS, justified):
        raise Unreadable(
            f"{size[0]} x {size[1]} pixels in {len(content):,} bytes, more than "
            f"{min(MOST_PIXELS, justified) // 10**6} million"
        )


def frames_of(image: Image.Image) -> int:
    """The number of frames or pages in a file; 1 if they cannot be counted."""
    try:
        return int(getattr(image, "n_frames", 1)) if image.format in SEVERAL_FRAMES else 1
    except Exception:  # damage after the first frame raises almost anything; the first is intact
        return 1


def time_taken(image: Image.Image) -> float:
    """The time of exposure in seconds since 1970; NaN if EXIF does not record it or is damaged."""
    try:
        noted = str(image.getexif().get_ifd(EXIF_IFD)[TAKEN])
        return datetime.strptime(noted, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except Exception:  # damaged EXIF raises almost anything, and does not affect the pixels
        return float("nan")


def upright(image: Image.Image, decoded: Image.Image | None = None) -> Image.Image:
    """The image, or its pixels `decoded` elsewhere, turned by its EXIF orientation unless that is damaged."""
    pixels = image if decoded is None else decoded
    try:
        if decoded is not None:
            pixels.getexif()[ORIENTATION] = image.getexif().get(ORIENTATION, 1)
        return ImageOps.exif_transpose(pixels)
    except Exception:  # EXIF or pixels may be damaged: loading the pixels shows which
        pixels.load()
        return pixels


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height in pixels of an image as `upright` turns it; its pixels are not decoded."""
    try:
        turned = int(image.getexif().get(ORIENTATION, 1)) >= 5
    except Exception:  # damaged EXIF raises almost anything; `upright` does not turn such an image
        turned = False
    return (image.height, image.width) if turned else image.size


def is_deep(image: Image.Image) -> bool:
    """Whether an image has more than 8 bits per value, by its header."""
    packed = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    return image.mode == "F" or image.mode.startswith("I") or packed


def transparent_values(image: Image.Image, values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """The pixels (h, w) of deep values that are transparent: those with the value that a PNG declares so."""
    clear = image.info.get("transparency")
    if not isinstance(clear, (int, tuple)):
        return np.zeros(values.shape[:2], dtype=bool)
    same = values == np.asarray(clear)
    return np.asarray(same.all(axis=2) if same.ndim == 3 else same)


def is_inverted(image: Image.Image) -> bool:
    """Whether the smallest value is white, as in scans of X-ray films; Pillow inverts only 8-bit images."""
    return image.format == "TIFF" and bool(image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO)  # type: ignore[attr-defined]


def deep_values(image: Image.Image, content: bytes) -> NDArray[np.generic] | None:
    """The values (h, w) or (h, w, 3) of an image with more than 8 bits each; None for any other.

    Pillow reads deep grey images in full, but only the upper 8 bits of deep colour images, which leaves
    12-bit data almost black. OpenCV reads those.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return np.asarray(image)
    if is_deep(image):
        whole = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if whole is not None and whole.dtype == np.uint16 and whole.ndim == 3 and is_opaque(image, whole):
            return np.asarray(whole[..., 2::-1])
    return None


def is_opaque(image: Image.Image, values: NDArray[np.generic]) -> bool:
    """Whether values (h, w, 3 or 4) are opaque: a fourth channel is not transparency, or is constant."""
    if values.shape[2] == 3:
        return True
    return values.shape[2] == 4 and (image.mode == "RGBX" or values[..., 3].min() == values[..., 3].max())


def depth_of(values: NDArray[np.generic], file_format: str) -> Depth:
    """The kind and the largest of the values.

    Raises:
        Unreadable: some are negative, NaN or infinite, so that their range is unknown.
    """
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high < np.inf:
        if not np.isfinite([low, high]).all():
            raise Unreadable("some values are NaN or infinite, expected finite numbers from 0")
        raise Unreadable(
            f"values from {low:g} to {high:g}, expected numbers from 0: shift them, or cut out a window"
        )
    return Depth(f"{file_format} {'x'.join(map(str, values.shape[2:]))}{values.dtype}", high)


def rgb_image(image: Image.Image) -> Image.Image:
    """The image in 8-bit RGB, whatever its mode; transparent pixels become white."""
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured).convert("RGB")
    return image.convert("RGB")


def fitted_picture(image: Image.Image, shape: Shape, fit: Fit) -> Pixels:
    """The image in this shape, uint8 (h, w, 3).

    Raises:
        Unreadable: `fit` is "whole" and the aspect ratio differs.
    """
    size = (shape[1], shape[0])
    if fit == "pad":
        scale = min(size[0] / image.width, size[1] / image.height)
        small = image.resize(
            (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
            Image.Resampling.BICUBIC,
        )
        canvas = Image.new("RGB", size)
        canvas.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
        return np.asarray(canvas)
    if fit == "whole" and not same_aspect(image.size, shape):
        raise Unreadable(
            f"{image.width} x {image.height} pixels, but fit=whole needs all images in one shape"
        )
    box = centred_box(*image.size, aspect=size[0] / size[1]) if fit == "crop" else None
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box))


def same_aspect(size: tuple[int, int], shape: Shape) -> bool:
    """Whether a width and height have the aspect ratio of a shape, apart from rounding."""
    return bool(abs(np.log(size[0] * shape[0] / (size[1] * shape[1]))) <= ASPECT_TOLERANCE)


def centred_box(width: int, height: int, *, aspect: float = 1.0) -> tuple[float, float, float, float]:
    """The largest centred box (left, top, right, bottom) with this ratio of width to height, in pixels.

    An odd remainder is halved exactly, so the ends may be half pixels.
    """
    wide, high = min(float(width), height * aspect), min(float(height), width / aspect)
    left, top = (width - wide) / 2, (height - high) / 2
    return left, top, left + wide, top + high


def cut_share(image: Image.Image, shape: Shape, fit: Fit) -> float:
    """The share of the image that this fit crops away, 0 to 1."""
    if fit != "crop":
        return 0.0
    left, top, right, bottom = centred_box(*image.size, aspect=shape[1] / shape[0])
    return 1 - (right - left) * (bottom - top) / (image.width * image.height)
