"""An encoded image of any size and mode as a small RGB square."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# Formats that Pillow reads by itself; others call programs (EPS) or are known by name alone.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
MOST_PIXELS = 100_000_000


class Unreadable(Exception):
    """Why an item is set aside, in one line."""


@cache
def readable_formats() -> tuple[str, ...]:
    """Those of the formats that this build of Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def decode_square(content: bytes, *, side: int) -> NDArray[np.uint8]:
    """The largest centred square of an image, resized with an antialiased bicubic kernel.

    Args:
        content: an encoded image; of several frames the first is taken. The orientation that a camera
            noted is applied. Transparent pixels are laid on white; 16-bit greys are scaled to 8 bits.
        side: pixels a side of the result. A JPEG that is much larger is decoded at a half, a quarter or an
            eighth of its size, but never below twice this side.

    Returns:
        uint8 (side, side, 3), RGB.

    Raises:
        Unreadable: the content is no whole image of a known format and mode.
    """
    try:
        with Image.open(io.BytesIO(content), formats=readable_formats()) as image:
            require_decodable_size(image)
            image.draft(None, (2 * side, 2 * side))
            upright = rgb_image(ImageOps.exif_transpose(image))
            box = centred_square(*upright.size)
            return np.asarray(upright.resize((side, side), Image.Resampling.BICUBIC, box=box))
    except Unreadable:
        raise
    except UnidentifiedImageError as error:  # its own text holds a memory address
        raise Unreadable(f"not an image in one of the formats {', '.join(readable_formats())}") from error
    except Exception as error:  # damaged files make the decoders raise almost anything
        raise Unreadable(str(error) or type(error).__name__) from error


def require_decodable_size(image: Image.Image) -> None:
    """Refuse an image that would take hundreds of megabytes to decode."""
    if image.width * image.height > MOST_PIXELS:
        raise Unreadable(f"{image.width} x {image.height} pixels, more than {MOST_PIXELS // 10**6} million")


def centred_square(width: int, height: int) -> tuple[float, float, float, float]:
    """The largest centred square (left, top, right, bottom), in pixels; an odd rest is halved exactly."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def rgb_image(image: Image.Image) -> Image.Image:
    """The image in 8-bit RGB, whatever its mode.

    Raises:
        Unreadable: its values have no declared range (floats, 32-bit integers above 65,535).
    """
    if image.mode == "F":
        raise Unreadable("pixels are floating-point numbers of unknown range")
    if image.mode.startswith("I"):
        return eight_bit_grey(image).convert("RGB")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured).convert("RGB")
    return image.convert("RGB")


def eight_bit_grey(image: Image.Image) -> Image.Image:
    """A 16-bit grey image in 8 bits: 65,535 becomes 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise Unreadable(f"grey values from {values.min()} to {values.max()}, expected 0 to 65535")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))
