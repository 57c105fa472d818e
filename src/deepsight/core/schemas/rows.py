"""Rows of images and class names in the stored files of a run: each must exist in its data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.predictions import Predictions

Rows = NDArray[np.int64]
# Columns of stored tables that hold rows of images.
ROWS = ("index", "index_a", "index_b", "twin_index", "train_index", "examples")
# Columns of stored tables that hold a class name and nothing else.
CLASSES = ("true", "predicted", "given", "suggested")
LARGEST_LOGIT = 1e30  # a larger one may overflow float32 when divided by a temperature


def require_rows(rows: NDArray[Any]) -> Rows:
    """The stored rows of a split as int64 (n,).

    Raises:
        ValueError: they are not distinct whole numbers of at least 0.
    """
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows < 0).any():
        raise ValueError("it should hold rows, whole numbers of at least 0")
    found = np.asarray(rows, dtype=np.int64)
    if len(np.unique(found)) < len(found):
        raise ValueError("it should hold each row once")
    return found


def largest_row(images: pl.DataFrame | None) -> int | None:
    """The largest valid row of an image of a run; None where its images are not known.

    Args:
        images: the run's table of images. Parts that are examined together are renumbered from 0, so a row
            may be as large as the number of images.
    """
    if images is None or images.is_empty():
        return None
    return max(len(images) - 1, int(images["index"].max()))  # type: ignore[arg-type]


def require_rows_of_images(frame: pl.DataFrame, largest: int | None) -> None:
    """Refuse a stored table with the row of an image that the run does not have.

    Raises:
        ValueError: it has one; the message names the column and the row.
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
    """Refuse a stored table with a class that the run does not have.

    Args:
        frame: the table.
        classes: names of the data's classes; empty where they are not known.

    Raises:
        ValueError: it has one; the message names the column and the class.
    """
    for name in CLASSES if classes else ():
        if name not in frame.columns:
            continue
        odd = frame[name].drop_nulls().cast(pl.String).unique().sort()
        odd = odd.filter(~odd.is_in(list(classes)))
        if len(odd):
            raise ValueError(f"its column '{name}' should hold classes of the data, not '{odd[0]}'")


def require_predictions_of(
    stored: Predictions, split: str, *, largest: int | None, splits: Mapping[str, Rows], classes: int
) -> None:
    """Refuse stored predictions that do not belong to the images and classes of their run.

    Args:
        stored: the predictions.
        split: their split; the ids of "train", "val" and "test" are compared with `splits`.
        largest: the largest valid row of an image; None where it is not known.
        splits: the rows of each split; empty where the run has none.
        classes: the number of classes; 0 where it is not known.

    Raises:
        ValueError: ids, classes, features or logits are invalid; the message says which.
    """
    ids = require_rows(stored.ids)
    if largest is not None and len(ids) and ids.max() > largest:
        raise ValueError(f"its ids should be rows of 0 to {largest}, not {ids.max()}")
    if classes and stored.k != classes:
        raise ValueError(f"it should hold predictions of {classes} classes, not of {stored.k}")
    if not np.isfinite(stored.features).all():
        raise ValueError("its features should be finite")
    if (largest_logit := np.abs(stored.logits).max(initial=0)) > LARGEST_LOGIT:
        raise ValueError(f"its logits should lie within ±{LARGEST_LOGIT:g}, one is {largest_logit:g} from 0")
    rows = splits.get(split)
    if rows is None:
        return
    # Folds predict every image; of train, only a part is predicted.
    lacking = 0 if split == "train" else int((~np.isin(rows, ids)).sum())
    beyond = 0 if split == "test" else int((~np.isin(ids, rows)).sum())
    if lacking or beyond:
        raise ValueError(
            f"its {len(ids)} ids should be those of the {len(rows)} images of {split} in splits.npz: "
            f"{lacking} are missing and {beyond} are not of that split"
        )
