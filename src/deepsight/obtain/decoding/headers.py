"""The headers of image files: size, format, camera and time. Pixels are not decoded."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from deepsight.obtain.decoding.crop import readable_formats, time_taken, upright_size

MAKE, MODEL, SOFTWARE = 0x010F, 0x0110, 0x0131  # EXIF tags
SCHEMA: dict[str, Any] = {
    "width": pl.Int64, "height": pl.Int64, "bytes": pl.Int64, "format": pl.String, "mode": pl.String,
    "camera": pl.String, "software": pl.String, "taken": pl.Float64,
}  # fmt: skip


def image_headers(files: Sequence[Path]) -> pl.DataFrame:
    """One row per file: width and height in pixels when upright, bytes, format, mode, and EXIF values.

    `camera` is make and model, `taken` the time of exposure in seconds since 1970. Values that are not
    recorded or cannot be read are null.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return pl.DataFrame(list(pool.map(header_of, files)), schema=SCHEMA)


def header_of(file: Path) -> dict[str, Any]:
    """The row of one file."""
    try:
        if not file.is_file():
            return {}
        with Image.open(file, formats=readable_formats()) as image:
            return {"bytes": file.stat().st_size} | facts_of(image)
    except Exception:  # damaged files raise almost anything; decoding them gives the reason
        return {}


def facts_of(image: Image.Image) -> dict[str, Any]:
    """The header of an open image."""
    width, height = upright_size(image)
    found: dict[str, Any] = {"format": image.format, "mode": image.mode}
    try:
        exif = image.getexif()

        camera = " ".join(str(exif[tag]).strip("\0 ") for tag in (MAKE, MODEL) if tag in exif)
        software = str(exif.get(SOFTWARE, "")).strip("\0 ")
        taken = time_taken(image) if len(exif) else None
        found |= {"camera": camera or None, "software": software or None, "taken": taken}
    except Exception:  # damaged EXIF does not affect the pixels
        pass
    return found | {"width": width, "height": height}
