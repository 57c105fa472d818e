"""Composites for a person to look at: the table `context_pictures` and its pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.evidence import Evidence, Table
from deepsight.images import overlay
from deepsight.interpret.background.composites import Cutouts
from deepsight.interpret.background.pair_swap import PairSwap
from deepsight.interpret.findings import Findings

OBJECTS_EACH = 4  # objects of either class, of either kind
TILE, FRAME, GAP = 64, 4, 4  # pixels
OWN, OTHER, ELSE = (33, 102, 172), (230, 97, 1), (150, 150, 150)  # blue and orange: also for the colour-blind
UNITS = {
    "file": "picture in the run folder",
    "caption": "sentences",
    "pair": "two class names",
    "objects": "objects tried",
    "on_own": "share of composites predicted as the other class on a background of the object's own class",
    "on_other": "share of composites predicted as the other class on a background of that class",
}


def draw_context(
    swaps: Sequence[PairSwap],
    cutouts: Cutouts,
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    *,
    seed: int,
) -> Findings:
    """One picture for each pair of classes that was tried on each other's backgrounds.

    Args:
        swaps: the composites of each pair.
        cutouts: images cut into object and background (n).
        labels, predicted: int64 (n,), of the original images.
        classes: k names.
        seed: random seed of the objects that are shown as typical.

    Returns:
        The table `context_pictures` and its pictures (WebP).
    """
    pictures, rows = {}, []
    for swap in swaps:
        names = [classes[c] for c in swap.pair]
        # Positions, not names: a class may be called "../../x", or anything that is no file name.
        file = f"maps/context-{'-'.join(f'{c:03d}' for c in swap.pair)}.webp"
        pictures[file] = overlay.webp_bytes(pair_picture(swap, cutouts, labels, predicted, seed=seed))
        on_own, on_other = (
            float(called_other(swap, labels)[away].mean()) for away in donor_kinds(swap, labels)
        )
        rows.append(
            {
                "file": file,
                "caption": pair_caption(names, on_own, on_other),
                "pair": swap.effect.name,
                "objects": len(np.unique(swap.chosen.subject)),
                "on_own": on_own,
                "on_other": on_other,
            }
        )
    frame = pl.DataFrame(rows, schema=SCHEMA)
    method = "Objects cut out by GrabCut masks, pasted on backgrounds whose own object was filled in."
    table = Table(frame, UNITS, len(rows), method, "What the model was shown, and what it answered.")
    return Findings(Evidence({"context_pictures": table}), pictures)


SCHEMA = {
    **dict.fromkeys(("file", "caption", "pair"), pl.String), "objects": pl.Int64,
    "on_own": pl.Float64, "on_other": pl.Float64,
}  # fmt: skip


def pair_caption(names: Sequence[str], on_own: float, on_other: float) -> str:
    """How to read a picture, and the shares behind it."""
    a, b = names
    return (
        f"{a.capitalize()} and {b}: each object as it is, on a background of its own class, and on a "
        f"background of the other. On the left, the {OBJECTS_EACH} objects of each class whose answers "
        f"follow the background most; on the right, {OBJECTS_EACH} of each drawn at random. Frames: blue, "
        "predicted as its own class; orange, as the other of the two; grey, as something else. Over all "
        f"composites, {on_other:.0%} are predicted as the other class on its background, and {on_own:.0%} "
        "on their own."
    )


def donor_kinds(swap: PairSwap, labels: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which composites have a background of the object's own class, and which of the other, bool (c,)."""
    own = labels[swap.chosen.subject] == labels[swap.chosen.donor]
    return own, ~own


def called_other(swap: PairSwap, labels: Ints) -> NDArray[np.bool_]:
    """Which composites are called the other class of the pair, bool (c,)."""
    first, second = swap.pair
    other = np.where(labels[swap.chosen.subject] == first, second, first)
    return np.asarray(swap.answers == other)


def pair_picture(swap: PairSwap, cutouts: Cutouts, labels: Ints, predicted: Ints, *, seed: int) -> Pixels:
    """Objects that follow the background on the left, typical ones on the right; one class per half."""
    rng = np.random.default_rng(seed)
    lines = []
    for c in swap.pair:
        objects = np.unique(swap.chosen.subject[labels[swap.chosen.subject] == c])
        strongest = objects[np.argsort(-effects_by_object(swap, labels, objects), kind="stable")][
            :OBJECTS_EACH
        ]
        others = rng.permutation(np.setdiff1d(objects, strongest))[:OBJECTS_EACH]
        for i in range(min(OBJECTS_EACH, len(objects))):
            blocks = [
                object_tiles(swap, cutouts, labels, predicted, int(chosen[i]), telling=telling)
                for chosen, telling in ((strongest, True), (others, False))
                if i < len(chosen)
            ]
            lines.append(side_by_side(blocks))
    return stacked(lines)


def effects_by_object(swap: PairSwap, labels: Ints, objects: Ints) -> NDArray[np.float64]:
    """How much more often each object is called the other class on that class's backgrounds, (o,)."""
    other = called_other(swap, labels).astype(np.float64)
    own, away = donor_kinds(swap, labels)
    place = np.searchsorted(objects, swap.chosen.subject).clip(max=len(objects) - 1)
    of_these = objects[place] == swap.chosen.subject
    shares = []
    for kind in (away & of_these, own & of_these):
        count = np.bincount(place[kind], minlength=len(objects))
        called = np.bincount(place[kind], weights=other[kind], minlength=len(objects))
        shares.append(called / np.maximum(count, 1))
    return np.asarray(shares[0] - shares[1])


def object_tiles(
    swap: PairSwap, cutouts: Cutouts, labels: Ints, predicted: Ints, subject: int, *, telling: bool
) -> Pixels:
    """An object as it is, on its own class's background and on the other's, framed by the answers.

    Args:
        telling: show the backgrounds that change the answer, if any, instead of the first ones.
    """
    other = called_other(swap, labels)
    tiles = [
        framed_tile(cutouts.images[subject], frame_colour(int(predicted[subject]), labels, swap, subject))
    ]
    for kind, wanted in zip(donor_kinds(swap, labels), (False, True), strict=True):
        rows = np.flatnonzero((swap.chosen.subject == subject) & kind)
        row = rows[np.argmax(other[rows] == wanted)] if telling else rows[0]
        shown = cutouts.on(swap.chosen.subject[[row]], swap.chosen.donor[[row]])[0]
        tiles.append(framed_tile(shown, frame_colour(int(swap.answers[row]), labels, swap, subject)))
    return side_by_side(tiles)


def frame_colour(answer: int, labels: Ints, swap: PairSwap, subject: int) -> tuple[int, int, int]:
    """The colour of the frame of an answer."""
    if answer == labels[subject]:
        return OWN
    return OTHER if answer in swap.pair else ELSE


def framed_tile(image: Pixels, border: tuple[int, int, int]) -> Pixels:
    """The enlarged image in a frame."""
    side = TILE + 2 * FRAME
    tile = np.empty((side, side, 3), dtype=np.uint8)
    tile[:] = border
    tile[FRAME:-FRAME, FRAME:-FRAME] = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    return tile


def side_by_side(tiles: Sequence[Pixels]) -> Pixels:
    """Pictures of one height side by side, with white gaps."""
    space = np.full((tiles[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, space)], axis=1)


def stacked(lines: Sequence[Pixels]) -> Pixels:
    """Rows one below the other, padded with white to one width."""
    width = max(line.shape[1] for line in lines)
    pads = [((0, GAP), (0, width - line.shape[1]), (0, 0)) for line in lines]
    return np.concatenate([np.pad(x, p, constant_values=255) for x, p in zip(lines, pads, strict=True)])
