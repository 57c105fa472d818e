"""The decoded images of a data set in the user's cache, read back with proof or decoded again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.files.atomic import digest_of, file_digest, write_json
from deepsight.core.files.damage import DAMAGE
from deepsight.core.progress import Log
from deepsight.obtain.cache import (
    MOST_DECODED_BYTES,
    cache_folder,
    keep_within,
    map_array,
    note_use,
    save_array,
)
from deepsight.obtain.decoding.bit_depth import common_tops
from deepsight.obtain.decoding.crop import Fit, Shape
from deepsight.obtain.decoding.decode import Decoding, Listing, name_as_text
from deepsight.obtain.decoding.decoded_block import remove_blocks, require_room
from deepsight.obtain.decoding.image_store import StoredImages, write_images
from deepsight.obtain.obtained import Part
from deepsight.obtain.sources import SourceError

DECODER = 6  # changes whenever the same file gives other pixels: what is in the cache is then decoded again


@dataclass(frozen=True)
class Decoded:
    """A decoded part in the cache.

    Attributes:
        part: the images that could be read, with their labels, files, groups and metadata.
        quarantined: items that could not be read: {"file", "reason"}.
        sha256: SHA-256 of the pixels.
        cut: mean share of a picture that was cropped away, 0 to 1.
        taken: (n,), time of exposure in seconds since 1970, NaN if it is not recorded.
        tops: by kind of image with more than 8 bits per value, the values that became white.
        several: files with several frames or pages, of which the first was used.
    """

    part: Part
    quarantined: list[dict[str, str]]
    sha256: str
    cut: float
    taken: Floats
    tops: dict[str, list[float]]
    several: Sequence[str] = ()


def decoded_parts(
    listings: Mapping[str, Listing], *, key: str, shape: Shape, fit: Fit, log: Log
) -> dict[str, Decoded]:
    """The parts in this shape, from the cache if the same items were decoded before.

    Args:
        listings: the items of each part.
        key: a digest that changes whenever the items do.
        shape: height and width of the images in pixels.
        fit: how pictures are fitted to that shape.
        log: receives progress, and a notice if the cache is damaged.

    Raises:
        DeepSightError: the cache cannot be written to.
    """
    labelled = {name: hashlib.sha256(listing.labels.data).hexdigest() for name, listing in listings.items()}
    asked = f"{DECODER}/{key}/{shape}/{fit}/{sorted(labelled.items())}"
    folder = cache_folder() / "own" / hashlib.sha256(asked.encode()).hexdigest()[:32]
    try:
        found = {name: read_part(folder, name, listing) for name, listing in listings.items()}
    except SourceError as error:
        if any(folder.glob("*.json")):
            log(f"{error}, so the images are decoded again.")
        found = write_parts(folder, listings, shape=shape, fit=fit, log=log)
        keep_within(folder.parent, limit=MOST_DECODED_BYTES, using=folder)
    note_use(folder)
    return found


def write_parts(
    folder: Path, listings: Mapping[str, Listing], *, shape: Shape, fit: Fit, log: Log
) -> dict[str, Decoded]:
    """Decode parts into the cache, a second time where the value range of all parts together differs."""
    require_room(folder, sum(len(each.names) for each in listings.values()), shape[0] * shape[1] * 3, log)
    decodings = {name: Decoding(name, listing, shape, fit, folder, log) for name, listing in listings.items()}
    sha256 = {name: write_pixels(decoding) for name, decoding in decodings.items()}
    for name, tops in tops_of_parts(decodings).items():
        if tops != decodings[name].used_tops():
            remove_blocks(folder, name)
            decodings[name] = Decoding(name, listings[name], shape, fit, folder, log, tops)
            sha256[name] = write_pixels(decodings[name])
    return {name: write_about(decoding, sha256[name]) for name, decoding in decodings.items()}


def write_pixels(decoding: Decoding) -> str:
    """Decode a part into the cache and return the SHA-256 of its pixels."""
    target = decoding.folder / f"{decoding.name}_images.npy"
    return write_images(target, decoding.batches(), image_shape=(*decoding.shape, 3))[1]


def tops_of_parts(decodings: Mapping[str, Decoding]) -> dict[str, dict[int, float]]:
    """By part and row, the value that becomes white in each deep image, from all parts together."""
    depths = {(name, row): depth for name, each in decodings.items() for row, depth in each.depths().items()}
    tops = common_tops(dict(enumerate(depths.values())))
    found: dict[str, dict[int, float]] = {name: {} for name in decodings}
    for number, (name, row) in enumerate(depths):
        found[name][row] = tops[number]
    return found


def write_about(decoding: Decoding, sha256: str) -> Decoded:
    """Write everything but the pixels of a decoded part; the JSON file, written last, makes it valid."""
    folder, name, blocks = decoding.folder, decoding.name, decoding.blocks
    save_array(folder / f"{name}_rows.npy", np.concatenate([block.rows for block in blocks]))
    save_array(folder / f"{name}_digests.npy", np.concatenate([block.digests for block in blocks]))
    save_array(folder / f"{name}_taken.npy", np.concatenate([block.taken for block in blocks]))
    cuts = np.concatenate([block.cuts for block in blocks])
    quarantined = [item for block in blocks for item in block.quarantined]
    about: dict[str, Any] = {
        "sha256": sha256, "cut": float(cuts.mean()) if len(cuts) else 0.0, "quarantined": quarantined,
        "tops": decoding.tops_by_kind(), "several": [name for block in blocks for name in block.several],
    }  # fmt: skip
    about["proof"] = proof_of_part(folder, name, about)
    write_json(folder / f"{name}.json", about)
    remove_blocks(folder, name)
    return read_part(folder, name, decoding.listing, prove=False)


def read_part(folder: Path, name: str, listing: Listing, *, prove: bool = True) -> Decoded:
    """A part that was decoded before.

    Args:
        folder: its folder in the cache.
        name: of the part.
        listing: its items.
        prove: whether to check the digest of the pixels, which is not needed right after writing them.

    Raises:
        SourceError: it is absent, incomplete or damaged.
    """
    try:
        about = dict(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
        proved = about.pop("proof", "") == proof_of_part(folder, name, about)
    except DAMAGE as error:
        raise SourceError(f"nothing complete is stored yet in {folder}") from error
    images = StoredImages(folder / f"{name}_images.npy")
    if not proved or (prove and images.sha256() != about["sha256"]):
        raise SourceError(f"the content of {folder} has changed since it was stored")
    rows, digests, taken = (
        np.array(map_array(folder / f"{name}_{what}.npy")) for what in ("rows", "digests", "taken")
    )
    return Decoded(readable_part(listing, rows, images, digests), **about, taken=taken)


def proof_of_part(folder: Path, name: str, about: Mapping[str, Any]) -> str:
    """A digest of everything stored for a part except its pixels."""
    small = [file_digest(folder / f"{name}_{what}.npy") for what in ("rows", "digests", "taken")]
    return digest_of(json.dumps([about, small], sort_keys=True).encode("ascii"))


def readable_part(listing: Listing, rows: Ints, images: StoredImages, digests: NDArray[np.uint8]) -> Part:
    """The readable rows of a listing as a part."""
    names = np.array([name_as_text(name) for name in listing.names], dtype=object)
    groups = None if listing.groups is None else np.array(listing.groups, dtype=object)[rows]
    return Part(
        images,
        listing.labels[rows],
        files=names[rows],
        digests=digests,
        groups=groups,
        metadata=None if listing.metadata is None else listing.metadata[rows],
    )
