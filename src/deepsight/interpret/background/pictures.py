"""Composites that a person can look at: the table `context_pictures` and its pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.evidence import Table
from deepsight.images import overlay
from deepsight.interpret.background.composites import Parts
from deepsight.interpret.background.pair_swap import PairSwap

EACH = 4  # objects of either class, of either kind
TILE, FRAME, GAP = 64, 4, 4  # pixels
OWN, OTHER, ELSE = (33, 102, 172), (230, 97, 1), (150, 150, 150)  # blue and orange: also for the colour-blind
UNITS = {
    "file": "picture in the run folder",
    "caption": "sentences",
    "pair": "two class names",
    "objects": "objects tried",
    "on_own": "share of composites called the other class on a background of the object's own class",
    "on_other": "share of composites called the other class on a background of that class",
}


def table(
    swaps: Sequence[PairSwap],
    parts: Parts,
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    *,
    seed: int,
) -> tuple[Table, dict[str, bytes]]:
    """One picture for each pair of classes that was tried on each other's backgrounds.

    Args:
        swaps: what was shown of each pair.
        parts: images taken apart (n).
        labels, predicted: int64 (n,), of the images as they are.
        classes: k names.
        seed: draws the objects that stand for the others.

    Returns:
        The table `context_pictures`, and the pictures (WebP) by their path in the run folder.
    """
    pictures, rows = {}, []
    for swap in swaps:
        names = [classes[c] for c in swap.pair]
        file = f"maps/context-{'-'.join(names)}.webp"
        pictures[file] = overlay.webp_bytes(picture(swap, parts, labels, predicted, seed=seed))
        on_own, on_other = (float(called_other(swap, labels)[away].mean()) for away in kinds(swap, labels))
        rows.append(
            {
                "file": file,
                "caption": caption(names, on_own, on_other),
                "pair": swap.finding.name,
                "objects": len(np.unique(swap.chosen.subject)),
                "on_own": on_own,
                "on_other": on_other,
            }
        )
    frame = pl.DataFrame(rows, schema=SCHEMA)
    method = "Objects cut out by GrabCut masks, pasted on backgrounds whose own object was filled in."
    return Table(frame, UNITS, len(rows), method, "What the model was shown, and what it answered."), pictures


SCHEMA = {
    **dict.fromkeys(("file", "caption", "pair"), pl.String), "objects": pl.Int64,
    "on_own": pl.Float64, "on_other": pl.Float64,
}  # fmt: skip


def caption(names: Sequence[str], on_own: float, on_other: float) -> str:
    """How to read a picture, and what it stands for."""
    a, b = names
    return (
        f"{a.capitalize()} and {b}: each object as it is, on a background of its own class, and on one of "
        f"the other. Left the {EACH} objects of each class whose answers follow the background most, right "
        f"{EACH} of each drawn at random. Frame: blue, called its class; orange, called the other of the "
        f"two; grey, something else. Over all composites, {on_other:.0%} are called the other class on its "
        f"background and {on_own:.0%} on that of their own."
    )


def kinds(swap: PairSwap, labels: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which composites have a background of the object's own class, and which of the other, bool (c,)."""
    own = labels[swap.chosen.subject] == labels[swap.chosen.donor]
    return own, ~own


def called_other(swap: PairSwap, labels: Ints) -> NDArray[np.bool_]:
    """Which composites are called the other class of the pair, bool (c,)."""
    first, second = swap.pair
    other = np.where(labels[swap.chosen.subject] == first, second, first)
    return np.asarray(swap.answers == other)


def picture(swap: PairSwap, parts: Parts, labels: Ints, predicted: Ints, *, seed: int) -> Pixels:
    """Objects that follow the background on the left, others on the right, a class below the other."""
    rng = np.random.default_rng(seed)
    lines = []
    for c in swap.pair:
        objects = np.unique(swap.chosen.subject[labels[swap.chosen.subject] == c])
        strongest = objects[np.argsort(-pulls(swap, labels, objects), kind="stable")][:EACH]
        others = rng.permutation(np.setdiff1d(objects, strongest))[:EACH]
        for i in range(min(EACH, len(objects))):
            blocks = [
                block(swap, parts, labels, predicted, int(chosen[i]), telling=telling)
                for chosen, telling in ((strongest, True), (others, False))
                if i < len(chosen)
            ]
            lines.append(side_by_side(blocks))
    return stacked(lines)


def pulls(swap: PairSwap, labels: Ints, objects: Ints) -> NDArray[np.float64]:
    """How much more often each object is called the other class on that class's backgrounds, (o,)."""
    other = called_other(swap, labels).astype(np.float64)
    own, away = kinds(swap, labels)
    place = np.searchsorted(objects, swap.chosen.subject).clip(max=len(objects) - 1)
    of_these = objects[place] == swap.chosen.subject
    shares = []
    for kind in (away & of_these, own & of_these):
        count = np.bincount(place[kind], minlength=len(objects))
        called = np.bincount(place[kind], weights=other[kind], minlength=len(objects))
        shares.append(called / np.maximum(count, 1))
    return np.asarray(shares[0] - shares[1])


def block(
    swap: PairSwap, parts: Parts, labels: Ints, predicted: Ints, subject: int, *, telling: bool
) -> Pixels:
    """An object as it is, on its own class's background and on the other's, framed by the answers.

    Args:
        telling: show the backgrounds that make the difference, if there are any, in place of the first ones.
    """
    other = called_other(swap, labels)
    tiles = [framed(parts.images[subject], colour(int(predicted[subject]), labels, swap, subject))]
    for kind, wanted in zip(kinds(swap, labels), (False, True), strict=True):
        rows = np.flatnonzero((swap.chosen.subject == subject) & kind)
        row = rows[np.argmax(other[rows] == wanted)] if telling else rows[0]
        shown = parts.on(swap.chosen.subject[[row]], swap.chosen.donor[[row]])[0]
        tiles.append(framed(shown, colour(int(swap.answers[row]), labels, swap, subject)))
    return side_by_side(tiles)


def colour(answer: int, labels: Ints, swap: PairSwap, subject: int) -> tuple[int, int, int]:
    """The frame of an answer."""
    if answer == labels[subject]:
        return OWN
    return OTHER if answer in swap.pair else ELSE


def framed(image: Pixels, border: tuple[int, int, int]) -> Pixels:
    """The image enlarged, in a frame."""
    side = TILE + 2 * FRAME
    tile = np.empty((side, side, 3), dtype=np.uint8)
    tile[:] = border
    tile[FRAME:-FRAME, FRAME:-FRAME] = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    return tile


def side_by_side(tiles: Sequence[Pixels]) -> Pixels:
    """Pictures of one height in a line, white between them."""
    space = np.full((tiles[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, space)], axis=1)


def stacked(lines: Sequence[Pixels]) -> Pixels:
    """Lines one below the other, padded with white to one width."""
    width = max(line.shape[1] for line in lines)
    pads = [((0, GAP), (0, width - line.shape[1]), (0, 0)) for line in lines]
    return np.concatenate([np.pad(x, p, constant_values=255) for x, p in zip(lines, pads, strict=True)])
