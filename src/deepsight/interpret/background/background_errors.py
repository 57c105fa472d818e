"""Errors that the background makes: the evidence table `background_errors`, which the ledger reads."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.evidence import Table
from deepsight.interpret.background.composites import take_apart
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.swap_design import Design, Predict, draw, run

MOST = 0.5
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
    "stays": "whether the error stays when the object is cut out and put back on its own background",
    "without_background": "class that the object's cells alone would give; null where there is no map",
    "flagged": "whether the background makes the error",
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
    """Which misclassified objects are classified rightly once they stand elsewhere.

    Each object goes on backgrounds of classes that are neither its own nor the predicted one, so that neither
    answer is helped. Flagged where most swaps give the true class, and cutting the object out and putting it
    back on its own background does not (so it is the background, not the cut, that matters).

    Args:
        images: uint8 (n, h, w, 3), errors and others; the others give backgrounds only.
        labels, predicted: int64 (n,).
        masks: of these images; errors whose mask was rejected are not judged and have no row.
        predict: images -> logits (m, k); it sees errors × (donors + 1) images.
        ids: int64 (n,).
        classes: k names.
        alone: (n, k), logits of the object's cells alone, or None.
        donors: backgrounds for each error; an odd number, so that most of them is never half.
        seed: of their choice.
    """
    errors = np.flatnonzero((labels != predicted) & masks.accepted)
    chosen = neutral_design(errors, labels, predicted, masks.accepted, donors=donors, seed=seed)
    parts = take_apart(images, masks)
    to_true = run(parts, chosen, predict) == labels[chosen.subject]
    place = np.searchsorted(errors, chosen.subject)
    counts = np.bincount(place, minlength=len(errors))
    flips = np.bincount(place, weights=to_true, minlength=len(errors)) / np.maximum(counts, 1)
    stays = run(parts, Design(errors, errors), predict) != labels[errors]
    frame = pl.DataFrame(
        {
            "split": [split] * len(errors),
            "index": ids[errors],
            "true": named(labels[errors], classes),
            "predicted": named(predicted[errors], classes),
            "flip_share": flips,
            "stays": stays,
            "without_background": [None] * len(errors)
            if alone is None
            else named(alone[errors].argmax(axis=1), classes),
            "flagged": (flips > MOST) & stays,
        },
        schema=SCHEMA,
    )
    return Table(frame, UNITS, len(errors), method(donors), caption(frame))


def background_support(table: Table, ids: Ints) -> NDArray[np.float64]:
    """What the ledger takes: the share of swaps that mend each error, for images in the order of `ids`.

    Returns:
        float64 (n,) in 0 to 1; 0 where the cut alone mends it, NaN where there is no row.
    """
    support = dict(zip(table.frame["index"], table.frame["flip_share"] * table.frame["stays"], strict=True))
    return np.array([support.get(int(i), np.nan) for i in ids])


def named(labels: NDArray[np.integer], classes: Sequence[str]) -> list[str]:
    """Class names of labels."""
    return [classes[c] for c in labels]


def neutral_design(
    errors: Ints, labels: Ints, predicted: Ints, usable: NDArray[np.bool_], *, donors: int, seed: int
) -> Design:
    """Each error on backgrounds of classes that are neither the true nor the predicted one."""
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(usable)
    pairs = [
        (inputs, donor)
        for inputs in errors
        for donor in draw(
            rng, pool[(labels[pool] != labels[inputs]) & (labels[pool] != predicted[inputs])], donors
        )
    ]
    inputs, donor = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Design(inputs, donor)


def method(donors: int) -> str:
    """How an error was judged."""
    return (
        f"Object on {donors} backgrounds of classes that are neither the true nor the predicted one; GrabCut "
        "masks; control: the object put back on its own background."
    )


def caption(frame: pl.DataFrame) -> str:
    """The count in a sentence."""
    return (
        f"{int(frame['flagged'].sum())} of {frame.height} errors with a usable mask are classified rightly "
        "on most other backgrounds."
    )
