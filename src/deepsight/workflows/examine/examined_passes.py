"""Where the passes of an examination over all images run, and where their finished blocks are kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.core.files.atomic import digest_of
from deepsight.core.progress import Log
from deepsight.model.foreign.input_format import InputFormat
from deepsight.obtain.cache import file_stamp
from deepsight.workflows.passes.block_passes import LOCAL
from deepsight.workflows.passes.block_work import data_marks, kept_folder
from deepsight.workflows.passes.image_passes import ImagePasses, precision_of_long_passes


def spread_passes(data: Dataset, record: Mapping[str, Any], engine: str, log: Log) -> ImagePasses | None:
    """The passes over the images on the workers of an engine; None where this process carries them out."""
    if engine == LOCAL:
        return None
    kept = kept_folder("examined", data_marks(record), rows_mark(data), precision_of_long_passes())
    return ImagePasses(engine, kept, log)


def rows_mark(data: Dataset) -> str:
    """A text that differs between selections of rows of a data set."""
    return f"{data.source} {digest_of(np.ascontiguousarray(data.ids).tobytes())}"


def pass_folder(
    what: str, weights: Path | None, how: InputFormat | None, record: Mapping[str, Any], split: str
) -> Path | None:
    """Where the finished blocks of a pass are kept: named after the model, its preprocessing and the data.

    None where no file identifies the model, such as for the user's code: it may have changed since the pass
    was interrupted.
    """
    place = Path(what.partition(":")[2])
    files = [path for path in (weights, place) if path is not None and path.is_file()]
    if not files:
        return None
    marks = [file_stamp(path) for path in files]
    described = None if how is None else how.describe()
    return kept_folder(what, str(weights), marks, described, data_marks(record), split)
