"""The value range of new files with more than 8 bits per value, taken from the model's training data.

A single file does not show its range: a dark 12-bit image would become bright. Kinds of image that the
training data did not contain share the range of all new files together.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from deepsight.obtain.decoding.bit_depth import Depth, common_tops
from deepsight.obtain.decoding.crop import deep_values, depth_of, is_deep, other_values, readable_formats
from deepsight.obtain.local_file import read_local_file

Tops = Mapping[str, Sequence[float]]  # by kind of image, the values that become white


def tops_of_files(files: Sequence[Path], known: Tops) -> dict[Path, float]:
    """The value that becomes white in each deep file; 8-bit and unreadable files are left out.

    Args:
        files: the new files; of 8-bit ones, only the headers are read.
        known: the values that became white in the training images.
    """
    depths = {file: depth for file in files if (depth := depth_of_file(file)) is not None}
    tops = {file: top for file, depth in depths.items() if (top := known_top(depth, known)) is not None}
    rest = [file for file in depths if file not in tops]
    shared = common_tops({number: depths[file] for number, file in enumerate(rest)})
    return tops | {file: shared[number] for number, file in enumerate(rest)}


def known_top(depth: Depth, known: Tops) -> float | None:
    """The smallest known range of this kind that holds the values; None if none does."""
    return min((top for top in known.get(depth.kind, ()) if top >= depth.most), default=None)


def depth_of_file(file: Path) -> Depth | None:
    """The kind and largest value of a file with more than 8 bits per value; None for any other."""
    if not file.is_file():
        return None
    try:
        with Image.open(file, formats=readable_formats()) as image:
            if not is_deep(image):
                return None
    except UnidentifiedImageError:
        return depth_of_other_file(file)
    except Exception:
        return None
    try:
        content = read_local_file(file)
        with Image.open(io.BytesIO(content), formats=readable_formats()) as image:
            values = deep_values(image, content)
            return None if values is None else depth_of(values, str(image.format))
    except Exception:  # damaged files make decoders raise almost anything; reading them gives the reason
        return None


def depth_of_other_file(file: Path) -> Depth | None:
    """The same of an array or an unusual TIFF, which Pillow does not know."""
    try:
        found = other_values(read_local_file(file))
        return None if found is None or found[1].dtype == np.uint8 else depth_of(found[1], found[0])
    except Exception:
        return None
