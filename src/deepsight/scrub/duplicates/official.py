"""The search for near-duplicates among all official images, stored once and shared by all studies."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence, Table
from deepsight.core.files.atomic import file_digest, write_text
from deepsight.core.progress import Log, silent
from deepsight.scrub.duplicates.find import duplicates_caption, find_duplicates
from deepsight.scrub.leakage import pixel_digests

METHOD = "1"  # version of the search; changing it invalidates stored results
NAME = "duplicates"
PROOF = "proof.txt"  # written last: it marks a complete search
SEED = 0  # of the samples that projections are fitted on; the same for all studies, which share the result


def official_duplicates(parts: Mapping[str, Dataset], folder: Path, *, log: Log = silent) -> Table:
    """Near-duplicates among all images of a data set: searched once, then read from the cache.

    The result does not depend on the split or the number of training rows, so all studies of the same images
    share it.

    Args:
        parts: the official parts by name, test last; images of one shape.
        folder: where the result is stored; its name should be `parts_digest`.
        log: receives a message if a stored result is used or damaged.
    """
    if is_stored(folder):
        found = Evidence.load(folder)[NAME]
        log(f"Near-duplicates among all {found.n:,} images: known from an earlier search.")
        return found
    if (folder / PROOF).exists():
        log(f"{folder} is not what was stored in it, so the search for near-duplicates runs again.")
    found = find_duplicates(parts, seed=SEED)
    Evidence({NAME: found}).save(folder, {})
    write_text(folder / PROOF, proof_of_search(folder))
    return found


def is_stored(folder: Path) -> bool:
    """Whether a complete, undamaged search is stored there."""
    try:
        return (folder / PROOF).read_text(encoding="ascii") == proof_of_search(folder)
    except (OSError, ValueError):
        return False


def proof_of_search(folder: Path) -> str:
    """The digests of the files of a stored search."""
    return " ".join(file_digest(folder / name) for name in (f"{NAME}.parquet", "index.json"))


def parts_digest(parts: Mapping[str, Dataset]) -> str:
    """A digest of the pixels and row numbers of all parts, and of the method of the search."""
    digest = sha256(METHOD.encode())
    for name, part in parts.items():
        digest.update(f"{name} {len(part)} {part.images.shape[1:]}".encode())
        digest.update(part.ids.tobytes())
        digest.update(pixel_digests(part.images).tobytes())
    return digest.hexdigest()[:32]


def with_validation(found: Table, held: Ints) -> Table:
    """The table of a search among official parts, with the training rows held out for validation named `val`.

    Args:
        found: a table of `find_duplicates` whose splits are train and test.
        held: ids of the training rows that are validation.
    """

    def renamed(end: str) -> pl.Expr:
        split, index = pl.col(f"split_{end}"), pl.col(f"index_{end}")
        is_held = (split == "train") & index.is_in(held.tolist())
        return pl.when(is_held).then(pl.lit("val")).otherwise(split).alias(f"split_{end}")

    frame = found.frame.with_columns(renamed("a"), renamed("b"))
    return replace(found, frame=frame, caption=duplicates_caption(frame, found.n))
