"""Rows of images and names of classes in the stored files of a run: each must be one of its data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.predictions import Predictions

Rows = NDArray[np.int64]
# The columns of stored tables that hold rows of images.
ROWS = ("index", "index_a", "index_b", "twin_index", "train_index", "examples")
# The columns of stored tables that hold the name of a class, and nothing else.
CLASSES = ("true", "predicted", "given", "suggested")
LARGEST_LOGIT = 1e30  # beyond it, a division by a temperature leaves float32


def require_rows(rows: NDArray[Any]) -> Rows:
    """Rows of a split as they were stored.

    Raises:
        ValueError: they are no whole numbers of at least 0, or one stands there twice.
    """
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows < 0).any():
        raise ValueError("it should hold rows, whole numbers of at least 0")
    found = np.asarray(rows, dtype=np.int64)
    if len(np.unique(found)) < len(found):
        raise ValueError("it should hold each row once")
    return found


def largest_row(images: pl.DataFrame | None) -> int | None:
    """The largest row that can name an image of a run; None where its images are not known.

    Args:
        images: the table of images of the run. Parts that are examined together are numbered anew.
    """
    if images is None or images.is_empty():
        return None
    return max(len(images) - 1, int(images["index"].max()))  # type: ignore[arg-type]


def require_rows_of_images(frame: pl.DataFrame, largest: int | None) -> None:
    """Refuse a stored table that names an image which the run does not have.

    Raises:
        ValueError: it does; it names the column and the row.
    """
    if largest is None:
        return
    for name in ROWS:
        if name not in frame.columns:
            continue
        highest = frame[name].explode().max() if isinstance(frame[name].dtype, pl.List) else frame[name].max()
        if isinstance(highest, int) and highest > largest:
            raise ValueError(f"its column '{name}' should hold rows of 0 to {largest}, not {highest}")


def require_known_classes(frame: pl.DataFrame, classes: Sequence[str]) -> None:
    """Refuse a stored table that names a class which the run does not have.

    Args:
        frame: the table.
        classes: of the data; empty where they are not known.

    Raises:
        ValueError: it does; it names the column and the class.
    """
    for name in CLASSES if classes else ():
        if name not in frame.columns:
            continue
        odd = frame[name].drop_nulls().cast(pl.String).unique().sort()
        odd = odd.filter(~odd.is_in(list(classes)))
        if len(odd):
            raise ValueError(f"its column '{name}' should hold classes of the data, not '{odd[0]}'")


def require_predictions_of(
    said: Predictions, split: str, *, largest: int | None, splits: Mapping[str, Rows], classes: int
) -> None:
    """Refuse stored predictions that are not of the images and the classes of their run.

    Args:
        said: the predictions.
        split: their name: "train", "val", "test" are compared with the splits.
        largest: the largest row of an image; None where it is not known.
        splits: the rows of each split; empty where the run has none.
        classes: the number of classes; 0 where it is not known.

    Raises:
        ValueError: they are not; it says in what.
    """
    ids = require_rows(said.ids)
    if largest is not None and len(ids) and ids.max() > largest:
        raise ValueError(f"its ids should be rows of 0 to {largest}, not {ids.max()}")
    if classes and said.k != classes:
        raise ValueError(f"it should hold predictions of {classes} classes, not of {said.k}")
    if not np.isfinite(said.features).all():
        raise ValueError("its features should be finite")
    if (largest_logit := np.abs(said.logits).max(initial=0)) > LARGEST_LOGIT:
        raise ValueError(f"its logits should lie within ±{LARGEST_LOGIT:g}, one is {largest_logit:g} from 0")
    rows = splits.get(split)
    if rows is None:
        return
    # Folds predict every image; of train, a part is asked for.
    lacking = 0 if split == "train" else int((~np.isin(rows, ids)).sum())
    beyond = 0 if split == "test" else int((~np.isin(ids, rows)).sum())
    if lacking or beyond:
        raise ValueError(
            f"its {len(ids)} ids should be those of the {len(rows)} images of {split} in splits.npz: "
            f"{lacking} lack and {beyond} are not of that split"
        )
