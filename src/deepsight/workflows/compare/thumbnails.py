"""Thumbnails of test images, cut from the contact sheets of errors."""

from collections.abc import Sequence

import cv2
import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.core.run import PICTURES, Run
from deepsight.images.contact_sheet import ACROSS
from deepsight.images.overlay import webp_bytes

SHEET = f"{PICTURES}/errors.webp"


def thumbnails(runs: Sequence[Run], wanted: Sequence[int]) -> dict[int, bytes]:
    """A WebP picture of each wanted test image that is among some run's errors, by its row."""
    found: dict[int, bytes] = {}
    for run in runs:
        missing = set(wanted) - set(found)
        if missing and run.has(SHEET):
            found |= tiles_of(run, missing)
    return found


def tiles_of(run: Run, wanted: set[int]) -> dict[int, bytes]:
    """The tiles of these images from a run's contact sheet of errors."""
    with run.reading(SHEET) as path:
        sheet = cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_COLOR)
    rows = run.evidence()["errors"].frame["index"].to_list()
    if sheet is None:
        return {}
    pixels = cv2.cvtColor(sheet, cv2.COLOR_BGR2RGB)
    side = pixels.shape[1] // ACROSS
    places = [(place, row) for place, row in enumerate(rows) if row in wanted]
    return {row: webp_bytes(cut_tile(pixels, place, side)) for place, row in places}


def cut_tile(sheet: Pixels, place: int, side: int) -> Pixels:
    """The tile at a place of a sheet."""
    top, left = (place // ACROSS) * side, (place % ACROSS) * side
    return np.ascontiguousarray(sheet[top : top + side, left : left + side])
