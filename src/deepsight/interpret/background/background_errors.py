"""Errors that the background causes: the evidence table `background_errors`, which the ledger reads."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.evidence import Table
from deepsight.core.open_model import Predict
from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.swap_design import SwapDesign, predict_composites, sample_from

FLIP_THRESHOLD = 0.5
SCHEMA = {
    "split": pl.String,
    "index": pl.Int64,
    "true": pl.String,
    "predicted": pl.String,
    "flip_share": pl.Float64,
    "stays": pl.Boolean,
    "without_background": pl.String,
    "flagged": pl.Boolean,
}
UNITS = {
    "split": "split name",
    "index": "row in the official order of the split",
    "true": "class name",
    "predicted": "class name",
    "flip_share": "share of swaps in which the true class is predicted, 0 to 1",
    "stays": "whether the error remains when the object is cut out and pasted back on its own background",
    "without_background": "class predicted from the object's cells alone; null where there is no map",
    "flagged": "whether the background causes the error",
}


def background_errors(
    images: Pixels,
    labels: Ints,
    predicted: Ints,
    masks: Masks,
    predict: Predict,
    *,
    ids: Ints,
    classes: Sequence[str],
    split: str = "test",
    alone: NDArray[np.floating] | None = None,
    donors: int = 7,
    seed: int = 0,
) -> Table:
    """Which misclassified objects are classified correctly on other backgrounds.

    Each object goes on backgrounds of classes that are neither its own nor the predicted one, so that the
    background helps neither answer. An error is flagged where most swaps give the true class, but cutting the
    object out and pasting it back on its own background does not: so the background matters, not the cut.

    Args:
        images: uint8 (n, h, w, 3), errors and others; the others only provide backgrounds.
        labels, predicted: int64 (n,).
        masks: of these images; an error whose mask was rejected is not judged and has no row.
        predict: images -> logits (m, k); it sees errors × (donors + 1) images.
        ids: int64 (n,).
        classes: k names.
        alone: (n, k), logits of the object's cells alone, or None.
        donors: backgrounds for each error; odd, so that there is always a majority.
        seed: random seed.
    """
    errors = np.flatnonzero((labels != predicted) & masks.accepted)
    chosen = neutral_design(errors, labels, predicted, masks.accepted, donors=donors, seed=seed)
    cutouts = cut_out(images, masks)
    to_true = predict_composites(cutouts, chosen, predict) == labels[chosen.subject]
    place = np.searchsorted(errors, chosen.subject)
    counts = np.bincount(place, minlength=len(errors))
    flips = np.bincount(place, weights=to_true, minlength=len(errors)) / np.maximum(counts, 1)
    stays = predict_composites(cutouts, SwapDesign(errors, errors), predict) != labels[errors]
    frame = pl.DataFrame(
        {
            "split": [split] * len(errors),
            "index": ids[errors],
            "true": class_names(labels[errors], classes),
            "predicted": class_names(predicted[errors], classes),
            "flip_share": flips,
            "stays": stays,
            "without_background": [None] * len(errors)
            if alone is None
            else class_names(alone[errors].argmax(axis=1), classes),
            "flagged": (flips > FLIP_THRESHOLD) & stays,
        },
        schema=SCHEMA,
    )
    return Table(
        frame, UNITS, len(errors), background_errors_method(donors), background_errors_caption(frame)
    )


def background_support(table: Table, ids: Ints) -> NDArray[np.float64]:
    """The share of swaps that correct each error, as the ledger reads it, in the order of `ids`.

    Returns:
        float64 (n,) in 0 to 1; 0 where the cut alone corrects it, NaN where there is no row.
    """
    support = dict(zip(table.frame["index"], table.frame["flip_share"] * table.frame["stays"], strict=True))
    return np.array([support.get(int(i), np.nan) for i in ids])


def class_names(labels: NDArray[np.integer], classes: Sequence[str]) -> list[str]:
    """Class names of labels."""
    return [classes[c] for c in labels]


def neutral_design(
    errors: Ints, labels: Ints, predicted: Ints, usable: NDArray[np.bool_], *, donors: int, seed: int
) -> SwapDesign:
    """Each error on backgrounds of classes that are neither the true nor the predicted one."""
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(usable)
    pairs = [
        (inputs, donor)
        for inputs in errors
        for donor in sample_from(
            rng, pool[(labels[pool] != labels[inputs]) & (labels[pool] != predicted[inputs])], donors
        )
    ]
    inputs, donor = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return SwapDesign(inputs, donor)


def background_errors_method(donors: int) -> str:
    """How an error was judged."""
    return (
        f"Object on {donors} backgrounds of classes that are neither the true nor the predicted one; GrabCut "
        "masks; control: the object put back on its own background."
    )


def background_errors_caption(frame: pl.DataFrame) -> str:
    """The number of errors that the background causes."""
    return (
        f"{int(frame['flagged'].sum())} of {frame.height} errors with a usable mask are classified "
        "correctly on most other backgrounds."
    )
