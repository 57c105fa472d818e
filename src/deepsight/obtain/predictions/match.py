"""Match predictions to images, by file name or by position."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, join_datasets
from deepsight.core.errors import UsageError
from deepsight.core.progress import Log
from deepsight.obtain.local_file import IMAGE_SUFFIXES, is_picture, normal_path
from deepsight.obtain.skipped_items import first_few

AMBIGUOUS = -1
WRAPPED = re.compile(r"""[\[(]?b?(['"])(.*)\1,?[\])]?""")  # such as ('a.png',) of a data loader
Matched = tuple[Ints, Ints]  # rows of the file, and the positions of their images in the data


@dataclass(frozen=True)
class Listings:
    """Everything that the sources listed, beyond the images of one split.

    Attributes:
        listed: by source, the names of all items in order, including unreadable ones.
        splits: the data sets of all splits, by name.
    """

    listed: Mapping[str, Sequence[str]]
    splits: Mapping[str, Dataset]


def match_by_file(given: Sequence[str], data: Dataset, listings: Listings | None, log: Log) -> Matched:
    """The rows whose file is an image of the split, in the order of the split; the others are logged.

    A name matches a file if one path is the end of the other: `cat/1.png` matches `test/cat/1.png`, and so
    does `/photos/test/cat/1.png`. A name that matches several files is ambiguous and counts as unmatched.

    Raises:
        UsageError: images have no names, an image has several predictions, or no name matches.
    """
    if data.files is None:
        raise UsageError(
            "Expected predictions in the order of the images, because this data has no file names; leave the "
            "column of files out."
        )
    found = places_of_names(given, data.files)
    hit = np.flatnonzero(found >= 0)
    if not len(hit):
        raise UsageError(nothing_fits(given, data, listings))
    places, counts = np.unique(found[hit], return_counts=True)
    if (counts > 1).any():
        twice = str(data.files[places[counts > 1][0]])
        raise UsageError(
            f"Expected one prediction per image, received several for {int((counts > 1).sum()):,} of "
            f"{len(counts):,}, the first: {twice}."
        )
    say_extra([name for name, place in zip(given, found, strict=True) if place < 0], data, listings, log)
    order = np.argsort(found[hit], kind="stable")
    return hit[order], found[hit][order]


def places_of_names(given: Sequence[str], files: Sequence[str] | np.ndarray) -> Ints:
    """The position of the file that each name matches; -1 if none or several match.

    If no name matches at all, what data loaders and servers add, then case, then suffixes are ignored.
    """
    spellings: tuple[Callable[[str], str], ...] = (
        normal_path, bare_path, caseless_path, path_without_ending,
    )  # fmt: skip
    found = np.full(len(given), AMBIGUOUS, dtype=np.int64)
    for spelt in spellings:
        found = places_of_equal_spellings(
            [spelt(name) for name in given], [spelt(str(file)) for file in files]
        )
        if (found >= 0).any():
            break
    return found


def bare_path(name: str) -> str:
    """A normalised path without the query of a URL, and without the marks of Python's tuples and bytes."""
    wrapped = WRAPPED.fullmatch(name.strip())
    return normal_path((wrapped[2] if wrapped else name).partition("?")[0])


def caseless_path(name: str) -> str:
    """A bare path with its case folded."""
    return bare_path(name).casefold()


def path_without_ending(name: str) -> str:
    """A caseless path without the suffix of a picture."""
    path = caseless_path(name)
    return path.rpartition(".")[0] if is_picture(path) else path


def places_of_equal_spellings(given: Sequence[str], files: Sequence[str]) -> Ints:
    """As `places_of_names`, for names in one spelling."""
    exact: dict[str, int] = {}
    for place, file in enumerate(files):
        exact[file] = AMBIGUOUS if file in exact else place
    ends: dict[str, int] = {}
    for file, place in exact.items():
        for end in path_ends(file):
            ends[end] = AMBIGUOUS if end in ends else place
    return np.array([place_of_name(name, exact, ends) for name in given], dtype=np.int64)


def path_ends(path: str) -> list[str]:
    """The path without its first folders: `b/c` and `c` for `a/b/c`."""
    parts = path.split("/")
    return ["/".join(parts[i:]) for i in range(1, len(parts))]


def place_of_name(name: str, exact: Mapping[str, int], ends: Mapping[str, int]) -> int:
    """The position of the file that a name matches, or -1."""
    if name in exact:
        return exact[name]
    longer = next((exact[end] for end in path_ends(name) if end in exact), AMBIGUOUS)
    return ends.get(name, longer)


def nothing_fits(given: Sequence[str], data: Dataset, listings: Listings | None) -> str:
    """The message for names of which none matches an image of the split, with splits where some do."""
    text = (
        f"Expected files of the split in the predictions, received none of {len(data)}; the first in the "
        f"predictions is '{given[0]}', the first of the split "
        f"'{'' if data.files is None else data.files[0]}'."
    )
    own = [] if data.files is None else [normal_path(str(file)).rpartition("/")[2] for file in data.files]
    if len(set(own)) < len(own) and normal_path(given[0]) in own:
        text += " Names alone match several files: include their folders."
    for name, part in ({} if listings is None else listings.splits).items():
        if part.files is not None and (n := int((places_of_names(given, part.files) >= 0).sum())):
            text += f" {n} of them are in {name}: --split {name}, or --split all."
    return text


def say_extra(extra: Sequence[str], data: Dataset, listings: Listings | None, log: Log) -> None:
    """Log how many rows match no image of the split, and what is known about them."""
    if not extra:
        return
    log(f"Predictions for no image of the split: {len(extra):,} ({first_few(extra, most=3)}).")
    if several := match_several(extra, data):
        log(f"Of these names, {several:,} match several files of the split: include their folders.")
    known = listings.listed.get(data.source, ()) if listings is not None else ()
    elsewhere = int((places_of_names(extra, known) >= 0).sum()) if known else 0
    if elsewhere:
        log(f"Of these files, {elsewhere:,} are in another split or could not be read.")


def match_several(names: Sequence[str], data: Dataset) -> int:
    """How many of these names are the end of the paths of several files of the split."""
    ends: dict[str, int] = {}
    for file in () if data.files is None else data.files:
        for end in path_ends(normal_path(str(file))):
            ends[end] = ends.get(end, 0) + 1
    return sum(ends.get(normal_path(name), 0) > 1 for name in names)


def match_by_position(n: int, data: Dataset, listings: Listings | None, log: Log) -> Matched:
    """Match rows by position: one per image of the split, or one per item that its source listed.

    If there is a row for every listed file, those of unreadable files are skipped. If there is a row for
    every image of a source, those of the split that was held out from it are used.

    Raises:
        UsageError: there is another number of rows.
    """
    if n == len(data):
        return np.arange(n), np.arange(n)
    whole = data if listings is None else whole_source(data, listings)
    if n == len(whole):
        log(
            f"The predictions are of all {n:,} images; the {len(data):,} of this split are examined. "
            "splits.csv lists them; --split all examines all."
        )
        return np.searchsorted(whole.ids, data.ids), np.arange(len(data))
    listed = () if listings is None or data.files is None else listings.listed.get(data.source, ())
    pictures = [name for name in listed if name.lower().endswith(IMAGE_SUFFIXES)]
    for names in (listed, pictures):
        if n == len(names) > 0 and data.files is not None:
            place = {name: row for row, name in enumerate(names)}
            rows = np.array([place.get(str(file), -1) for file in data.files])
            there = np.flatnonzero(rows >= 0)
            log(
                f"The predictions are of all {n:,} listed files; {n - len(whole):,} of these could not be "
                "read, and the others are matched."
            )
            return rows[there], there
    raise UsageError(
        f"Expected {len(data):,} rows of predictions, one for each image of the split in its order, received "
        f"{n:,}. Add a column of file names, or name another --split; splits.csv in --out lists the images."
    )


def whole_source(data: Dataset, listings: Listings) -> Dataset:
    """All images of the source that a split belongs to, in the order of their ids."""
    parts = [part for part in listings.splits.values() if part.source == data.source]
    return join_datasets(parts, data.source) if parts else data
