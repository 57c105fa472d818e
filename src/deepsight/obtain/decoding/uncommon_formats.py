"""Files that Pillow does not read: NumPy arrays and unusual TIFF files; other formats are only named."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

Values = NDArray[np.generic]

ARRAY = np.lib.format.MAGIC_PREFIX
TIFF = (b"II*\0", b"MM\0*")
WIDTH, HEIGHT = 256, 257  # tags of TIFF
# The offset of a format's signature, the signature, and the format's name.
SIGNS = (
    (128, b"DICM", "DICOM"), (4, b"ftyphei", "HEIC"), (4, b"ftyphev", "HEIC"), (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavi", "a damaged AVIF"), (4, b"ftypcrx", "a raw photograph"), (4, b"ftyp", "a video"),
    (0, b"\xff\x0a", "JPEG XL"), (4, b"JXL ", "JPEG XL"), (0, b"%PDF", "PDF"), (0, b"8BPS", "Photoshop"),
    (0, b"v/1\x01", "OpenEXR"), (0, b"SIMPLE  =", "FITS"), (344, b"n+1\0", "NIfTI"), (0, b"\x89HDF", "HDF5"),
    (0, b"MATLAB", "Matlab"), (0, b"PK\3\4", "a zip archive"), (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"Rar!", "a rar archive"), (0, b"7z\xbc\xaf", "a 7z archive"), (0, b"RIFF", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"), (0, b"<svg", "SVG"), (0, b"\0\0\1\0", "an icon"),
    (0, b"gimp xcf", "GIMP"), (0, b"DDS ", "DDS"), (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"%!PS", "PostScript"), (0, b"<?xml", "XML or SVG"),
)  # fmt: skip
# What servers and version control put in the place of a picture.
NO_PICTURES = (
    (b"<!DOCTYPE", "a web page"), (b"<html", "a web page"), (b"{", "JSON text"),
    (b"version https://git-lfs", "a pointer of Git LFS: git lfs pull fetches the file"),
    (b"data:image", "a data URL"), (b"\0\5\x16\7", "a file of metadata that macOS keeps beside another"),
)  # fmt: skip


def values_of_other_file(content: bytes) -> tuple[str, Values] | None:
    """The format and the values, (h, w) or RGB (h, w, 3), of a NumPy array or an unusual TIFF; else None.

    Raises:
        ValueError: an array does not have the shape or type of an image.
    """
    if content.startswith(ARRAY):
        return "NumPy", image_of_array(np.load(io.BytesIO(content), allow_pickle=False))
    if not content.startswith(TIFF):
        return None
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        return None
    return "TIFF", np.asarray(values[..., 2::-1] if values.ndim == 3 else values)


def image_of_array(array: Values) -> Values:
    """An array as an image (h, w) or (h, w, 3), with the channels last.

    Raises:
        ValueError: it does not have the shape or type of an image.
    """
    image = array
    if image.ndim == 3 and image.shape[0] in (1, 3) and image.shape[2] not in (1, 3):
        image = image.transpose(1, 2, 0)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    grey_or_rgb = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if not grey_or_rgb or image.dtype.kind not in "buif":
        raise ValueError(
            f"an array {array.dtype} of shape {array.shape}, expected numbers (h, w) or (h, w, 3)"
        )
    return image


def tiff_size(content: bytes) -> tuple[int, int] | None:
    """The width and height of a TIFF in pixels, from its header; None for any other file."""
    if not content.startswith(TIFF):
        return None
    directory, file = ImageFileDirectory_v2(content[:8]), io.BytesIO(content)
    file.seek(directory.next)
    directory.load(file)
    return int(directory[WIDTH]), int(directory[HEIGHT])


def name_of_format(content: bytes) -> str | None:
    """The name of the format of a file that cannot be read as an image; None if unknown."""
    start = content.lstrip()[:9]
    return next((name for at, sign, name in SIGNS if content[at : at + len(sign)] == sign), None) or next(
        (name for at, sign, name in SIGNS if not at and start.startswith(sign)), None
    )


def what_it_is(content: bytes) -> str | None:
    """What stands in the place of a picture, such as a web page; None if unknown."""
    start = content.lstrip()[:30].lower()
    if not content.strip(b" \r\n\t\0"):
        return "an empty file"
    return next((name for sign, name in NO_PICTURES if start.startswith(sign.lower())), None)
