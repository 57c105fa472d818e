"""Unlabelled pictures: every picture in a folder and below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Fit, Shape
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.decoding.decoded_cache import Decoded, decoded_parts
from deepsight.obtain.local_file import is_picture, user_path
from deepsight.obtain.other_layouts import layout_advice
from deepsight.obtain.readers.folder import folder_fingerprint, read_below
from deepsight.obtain.readers.folder_walk import ClassWalk
from deepsight.obtain.skipped_items import LATER_FRAMES, PassedOver
from deepsight.obtain.stored_size import stored_shape

NO_CLASSES = ("unlabelled", "(none)")  # a data set has at least two classes; all images are of the first
PART = "all"


@dataclass(frozen=True)
class Unlabelled:
    """The pictures of a folder.

    Attributes:
        root: the folder.
        data: the pictures that could be read, all of the class "unlabelled".
        decoded: how they were decoded, and what was set aside.
        passed_over: items that are not used, counted by kind: {"what", "n", "first"}.
    """

    root: Path
    data: Dataset
    decoded: Decoded
    passed_over: Sequence[Mapping[str, Any]]


def load_unlabelled(
    folder: str | Path,
    *,
    shape: Shape | None = None,
    resolution: int | None = None,
    fit: Fit = "crop",
    log: Log,
) -> Unlabelled:
    """Every picture in a folder and below it, decoded once into the cache.

    Args:
        folder: the folder.
        shape: height and width of the stored images in pixels; None chooses them as for a labelled data set.
        resolution: the side in pixels that is needed, if no shape is given.
        fit: how pictures are fitted to the shape.
        log: receives what the user should know.

    Raises:
        UsageError: there is no such folder.
        DeepSightError: it holds no readable picture.
    """
    root = user_path(folder).resolve()
    if not root.is_dir():
        raise UsageError(f"Expected a folder of pictures, received '{folder}'.")
    passed_over = PassedOver()
    names = picture_names(root, passed_over)
    labels = np.zeros(len(names), dtype=np.int64)
    listings = {PART: Listing(names, labels, partial(read_below, root, names))}
    if shape is None:
        address = DataAddress("folder", str(root), {"fit": fit})
        shape = stored_shape(address, listings, resolution=resolution, log=log)
    key = f"unlabelled/{folder_fingerprint(root, names)}"
    decoded = decoded_parts(listings, key=key, shape=shape, fit=fit, log=log)[PART]
    part = decoded.part
    if not len(part.labels):
        raise DeepSightError(
            f"Expected pictures that can be read in {root}, found none. {layout_advice(root)}".rstrip()
        )
    passed_over.add_all(LATER_FRAMES, decoded.several)
    passed_over.tell(log)
    ids = np.arange(len(part.labels), dtype=np.int64)
    data = Dataset(part.images, part.labels, NO_CLASSES, ids, PART, part.files)
    return Unlabelled(root, data, decoded, passed_over.records())


def picture_names(root: Path, passed_over: PassedOver) -> list[str]:
    """The relative paths of all pictures below a folder, sorted; other files are counted as unused."""
    found = sorted(
        f"{place}/{name}".removeprefix("./") for place, name in ClassWalk(root, passed_over).files(root)
    )
    passed_over.add_all("files without the name of a picture", [n for n in found if not is_picture(n)])
    return [name for name in found if is_picture(name)]
