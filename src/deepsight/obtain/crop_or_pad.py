"""How oblong pictures are fitted by default: as a model classifies them best."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deepsight.core.array_types import Bools, Ints, Pixels
from deepsight.core.errors import is_panic
from deepsight.core.groups import groups_by_name
from deepsight.core.progress import Log
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Fit, centred_box, decode_picture, same_aspect
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.stored_size import sampled_sizes, size_of, whole_shape

MUCH_CUT = 0.1  # mean share of a picture that cropping removes; up to it, fits are not compared
JUDGED = 400  # images at most that fits are compared on
FEWEST = 40  # images; a comparison on fewer is not conclusive
SIDE = 64  # pixels
LOOKED_AT = 5_000  # images at most whose shapes are all read


@dataclass(frozen=True)
class FittedPictures:
    """Some labelled images, each in the fits that are compared.

    Attributes:
        pixels: uint8 (n, h, w, 3) by fit.
        labels: int64 (n,).
        groups: int64 (n,), which images belong together; None where unknown.
    """

    pixels: Mapping[Fit, Pixels]
    labels: Ints
    groups: Ints | None


# Which images (n,) a model classifies correctly, by fit.
FitJudge = Callable[[FittedPictures], Mapping[Fit, Bools]]


@dataclass(frozen=True)
class FitChoice:
    """How pictures are fitted, and why.

    Attributes:
        fit: the chosen fit.
        about: the entry of `data.json` on the comparison; empty if there was none.
    """

    fit: Fit
    about: Mapping[str, Any] = field(default_factory=dict)


def choose_fit(
    address: DataAddress, listings: Mapping[str, Listing], *, judge: FitJudge | None, log: Log
) -> FitChoice:
    """The fit that the user asked for, or the one with which a model classifies more images correctly.

    Nearly square pictures are cropped. Otherwise cropping is compared with padding, or with the whole picture
    if all share one shape. Cropping is chosen only if it is better by more than a standard error, since the
    alternative discards nothing.

    Args:
        address: with the option `fit`, if the user gave one.
        listings: the images of each part.
        judge: predicts which images a model classifies correctly under each fit; None crops.
        log: receives the comparison and the choice.
    """
    sizes = sampled_sizes(listings) if "fit" not in address.options and judge is not None else []
    cut = float(np.mean([cropped_share(size) for size in sizes])) if sizes else 0.0
    if cut <= MUCH_CUT or judge is None:
        return FitChoice(address.fit)
    listing = next(listings[part] for part in ("train", "all") if part in listings)
    other: Fit = "whole" if of_one_shape(listings, sizes) else "pad"
    pictures = sampled_pictures(listing, ("crop", other), sizes)
    if len(pictures.labels) < FEWEST:
        return FitChoice(address.fit)
    right = judge(pictures)
    return chosen(right["crop"], right[other], other, cut, log)


def chosen(crop: Bools, kept: Bools, other: Fit, cut: float, log: Log) -> FitChoice:
    """The better of two fits on the same images; the figures are logged."""
    gain = kept.astype(np.float64) - crop
    error = float(gain.std() / np.sqrt(len(gain)))
    fit: Fit = other if gain.mean() >= 0 or abs(gain.mean()) < error else "crop"
    way = {"pad": "padded", "whole": "kept whole"}[other]
    log(
        f"Cropping to a square would cut {cut:.0%} of each picture on average. A linear probe gets "
        f"{crop.mean():.1%} of {len(gain):,} images right when they are cropped and {kept.mean():.1%} when "
        f"they are {way}, so they are {way if fit == other else 'cropped'}. --fit decides otherwise."
    )
    about = {"crop": round(float(crop.mean()), 4), other: round(float(kept.mean()), 4), "n": len(gain)}
    return FitChoice(fit, {"fit_comparison": {**about, "cut_by_crop": round(cut, 4), "chosen": fit}})


def cropped_share(size: tuple[int, int]) -> float:
    """The share of a picture of this width and height that lies outside its centred square."""
    left, top, right, bottom = centred_box(*size)
    return 1 - (right - left) * (bottom - top) / (size[0] * size[1])


def of_one_shape(listings: Mapping[str, Listing], sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether all pictures share one aspect ratio, apart from rounding.

    All are checked, since one that differs could not be used; with more than `LOOKED_AT` the answer is no.
    """
    width, height = (round(float(np.median([size[axis] for size in sizes]))) for axis in (0, 1))
    if not all(same_aspect(size, (height, width)) for size in sizes):
        return False
    if sum(len(listing.names) for listing in listings.values()) > LOOKED_AT:
        return False
    each = (size_of(listing, row) for listing in listings.values() for row in range(len(listing.names)))
    return all(size is None or same_aspect(size, (height, width)) for size in each)


def sampled_pictures(listing: Listing, fits: Sequence[Fit], sizes: list[tuple[int, int]]) -> FittedPictures:
    """Some labelled images that can be read, at most `JUDGED`."""
    rows = np.flatnonzero(listing.labels >= 0)
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:JUDGED])
    shapes = {fit: whole_shape(sizes, SIDE) if fit == "whole" else (SIDE, SIDE) for fit in fits}
    found: dict[Fit, list[Pixels]] = {fit: [] for fit in fits}
    read = []
    for row in rows.tolist():
        try:
            content = listing.read(row)
            decoded = [decode_picture(content, shape=shapes[fit], fit=fit).pixels for fit in fits]
        except BaseException as error:  # decoding all of them will say what is wrong
            if not (isinstance(error, Exception) or is_panic(error)):
                raise
            continue
        read.append(row)
        for fit, pixels in zip(fits, decoded, strict=True):
            found[fit].append(pixels)
    stacked = {fit: np.stack(pixels) for fit, pixels in found.items() if pixels}
    groups = None if listing.groups is None else groups_by_name([listing.groups[row] for row in read])
    return FittedPictures(stacked, listing.labels[read].astype(np.int64), groups)
