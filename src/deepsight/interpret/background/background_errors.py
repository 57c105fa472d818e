"""Errors that the background causes: the evidence table `background_errors`, which the ledger reads."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.evidence import Table
from deepsight.core.open_model import Predict
from deepsight.core.statistics.mcnemar import discordance_p
from deepsight.core.statistics.significance import p_phrase
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
    "placebo_share": pl.Float64,
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
    "placebo_share": "share of as many small changes of light in which the true class is predicted",
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
    among: Ints | None = None,
    donors: int = 7,
    seed: int = 0,
) -> Table:
    """Which misclassified objects are classified correctly on other backgrounds.

    Each object goes on backgrounds of classes that are neither its own nor the predicted one, so that the
    background helps neither answer. An error is flagged where most swaps give the true class, but neither
    cutting the object out and pasting it back on its own background nor most of as many small changes of
    light (placebo) do: then the background matters rather than the cut, and the answer was stable otherwise.

    Args:
        images: uint8 (n, h, w, 3), errors and others; the others only provide backgrounds.
        labels, predicted: int64 (n,).
        masks: of these images; an error whose mask was rejected is not judged and has no row. Nor has one
            without an image of a third class to take the background from.
        predict: images -> logits (m, k); called on errors × (2 donors + 1) images.
        ids: int64 (n,).
        classes: k names.
        alone: (n, k), logits of the object's cells alone, or None.
        among: positions of the errors to judge, drawn at random from all errors so that they represent all;
            None judges every error of these images.
        donors: backgrounds for each error; odd, so that there is always a majority.
        seed: random seed.
    """
    asked = np.ones(len(labels), dtype=np.bool_) if among is None else np.isin(np.arange(len(labels)), among)
    wanted = np.flatnonzero((labels != predicted) & masks.accepted & asked)
    chosen = neutral_design(wanted, labels, predicted, masks.accepted, donors=donors, seed=seed)
    errors = np.unique(chosen.subject)
    cutouts = cut_out(images, masks)
    to_true = predict_composites(cutouts, chosen, predict) == labels[chosen.subject]
    place = np.searchsorted(errors, chosen.subject)
    flips = np.bincount(place, weights=to_true) / np.bincount(place)
    stays = predict_composites(cutouts, SwapDesign(errors, errors), predict) != labels[errors]
    placebo = right_under_light(images[errors], labels[errors], predict, changes=donors)
    frame = pl.DataFrame(
        {
            "split": [split] * len(errors),
            "index": ids[errors],
            "true": names_of_labels(labels[errors], classes),
            "predicted": names_of_labels(predicted[errors], classes),
            "flip_share": flips,
            "stays": stays,
            "placebo_share": placebo,
            "without_background": [None] * len(errors)
            if alone is None
            else names_of_labels(alone[errors].argmax(axis=1), classes),
            "flagged": (flips > FLIP_THRESHOLD) & stays & (placebo <= FLIP_THRESHOLD),
        },
        schema=SCHEMA,
    )
    return Table(
        frame, UNITS, len(errors), background_errors_method(donors), background_errors_caption(frame)
    )


def background_support(table: Table, ids: Ints) -> NDArray[np.float64]:
    """How far the background explains each error, for the ledger, in the order of `ids`.

    The share of swaps that correct an error, times the part of such corrections that chance does not explain:
    1 minus the ratio of the corrections by as many small changes of light to those by the swaps. Tables of
    earlier versions have no such changes; their shares are used as they are.

    Returns:
        float64 (n,) in 0 to 1; 0 where the cut alone corrects it, NaN where there is no row.
    """
    frame = table.frame
    swapped = (frame["flip_share"] * frame["stays"]).to_numpy()
    chance = 0.0
    if "placebo_share" in frame.columns:
        chance = float((frame["placebo_share"] * frame["stays"]).sum())
    beyond = max(0.0, 1 - chance / float(swapped.sum())) if swapped.sum() > 0 else 0.0
    support = dict(zip(frame["index"], beyond * swapped, strict=True))
    return np.array([support.get(int(i), np.nan) for i in ids])


def right_under_light(images: Pixels, labels: Ints, predict: Predict, *, changes: int) -> Floats:
    """The share of small changes of light under which each image is classified correctly, (n,)."""
    right = [predicted_in_blocks(predict, jittered(images, step)) == labels for step in range(changes)]
    return np.asarray(np.mean(right, axis=0), dtype=np.float64)


def jittered(images: Pixels, step: int) -> Pixels:
    """A small change of light that keeps the label and everything in place.

    Brightness, contrast and gamma are raised or lowered in turn; a shift or a mirror image would also move a
    cue in the background, and so be no placebo.
    """
    values = images.astype(np.float64)
    sign = 1 if step % 2 else -1
    strength = 1 + step // 6
    if step % 6 in {0, 1}:
        changed = values + sign * 10 * strength
    elif step % 6 in {2, 3}:
        mean = values.mean(axis=(1, 2), keepdims=True)
        changed = mean + (values - mean) * (1 + sign * 0.1 * strength)
    else:
        changed = 255 * (values / 255) ** (1 + sign * 0.1 * strength)
    return np.asarray(np.rint(np.clip(changed, 0, 255)), dtype=np.uint8)


def predicted_in_blocks(predict: Predict, images: Pixels, *, block: int = 512) -> Ints:
    """The class predicted for each image, int64 (n,), a block at a time."""
    parts = [predict(images[i : i + block]).argmax(axis=1) for i in range(0, len(images), block)]
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, dtype=np.int64)


def names_of_labels(labels: NDArray[np.integer], classes: Sequence[str]) -> list[str]:
    """Class names of labels."""
    return [classes[c] for c in labels]


def neutral_design(
    errors: Ints, labels: Ints, predicted: Ints, usable: NDArray[np.bool_], *, donors: int, seed: int
) -> SwapDesign:
    """Each error on backgrounds of classes that are neither the true nor the predicted one."""
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(usable)
    pairs = [
        (subject, donor)
        for subject in errors
        for donor in sample_from(
            rng, pool[(labels[pool] != labels[subject]) & (labels[pool] != predicted[subject])], donors
        )
    ]
    subject, donor = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return SwapDesign(subject, donor)


def background_errors_method(donors: int) -> str:
    """How an error was judged."""
    return (
        f"Object on {donors} backgrounds of classes that are neither the true nor the predicted one; GrabCut "
        "masks; controls: the object put back on its own background, and as many small changes of light."
    )


def background_errors_caption(frame: pl.DataFrame) -> str:
    """How many errors other backgrounds correct, and how many small changes of light correct."""
    if frame.is_empty():
        return "No error had a usable mask and an image of a third class to take a background from."
    swapped = ((frame["flip_share"] > FLIP_THRESHOLD) & frame["stays"]).to_numpy()
    shifted = ((frame["placebo_share"] > FLIP_THRESHOLD) & frame["stays"]).to_numpy()
    p = discordance_p(int((swapped & ~shifted).sum()), int((shifted & ~swapped).sum()))
    more = bool(p <= 0.05 and swapped.sum() > shifted.sum())
    return (
        f"{int(swapped.sum())} of {frame.height} errors with a usable mask are classified correctly on most "
        f"other backgrounds and not after the cut alone, {int(shifted.sum())} after most small changes of "
        f"light (placebo): the background {'explains' if more else 'is not shown to explain'} more than "
        f"chance ({p_phrase(p)})."
    )
