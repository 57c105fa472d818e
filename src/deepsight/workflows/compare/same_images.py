"""The test images that two runs on different versions of a data set have in common."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.scrub.leakage import pixel_digests
from deepsight.workflows.compare.two_runs import classes_of_run, groups_of_test
from deepsight.workflows.folds import images_of_predictions
from deepsight.workflows.study_context import opened_context


@dataclass(frozen=True)
class SharedTest:
    """The test images that an earlier and a later run share, with the predictions of both.

    Attributes:
        ids: int64 (n,), rows of the later run's test part.
        labels_before, labels_after: int64 (n,), the labels that each run was tested against.
        before, after: int64 (n,), the classes that each run predicts.
        classes: names, in the order of the later run.
        groups: int64 (n,), the group of each image, or None.
        left_out, added: numbers of test images that only the earlier or only the later run has.
    """

    ids: NDArray[np.int64]
    labels_before: Ints
    labels_after: Ints
    before: Ints
    after: Ints
    classes: tuple[str, ...]
    groups: Ints | None
    left_out: int
    added: int

    @property
    def relabelled(self) -> int:
        """Images whose label differs."""
        return int((self.labels_before != self.labels_after).sum())


def shared_test(earlier: Run, later: Run, *, log: Log = silent) -> SharedTest:
    """Match the test images of two runs by the digests of their files, or of their pixels.

    Raises:
        DeepSightError: the classes differ, or the two share no test image.
    """
    classes = tuple(classes_of_run(later))
    place = places_of(tuple(classes_of_run(earlier)), classes, earlier, later)
    old, new = earlier.predictions("test"), later.predictions("test")
    a, b = matching_rows(earlier, later, old, new, log)
    if not len(a):
        raise DeepSightError(
            f"Expected test images that {earlier.path} and {later.path} share, found none. "
            "Compare with a run on an earlier version of the same data."
        )
    return SharedTest(
        ids=new.ids[b], labels_before=place[old.labels[a]], labels_after=new.labels[b],
        before=place[old.predicted[a]], after=new.predicted[b], classes=classes,
        groups=groups_of_test(later, new.ids[b]), left_out=len(old) - len(a), added=len(new) - len(b),
    )  # fmt: skip


def places_of(theirs: tuple[str, ...], ours: tuple[str, ...], earlier: Run, later: Run) -> Ints:
    """The position in the later run of each class of the earlier one, (k,).

    Raises:
        DeepSightError: the classes differ.
    """
    if sorted(theirs) != sorted(ours):
        odd = sorted(set(theirs) ^ set(ours))
        raise DeepSightError(
            f"Expected the classes of {earlier.path} in {later.path}, but they differ in {', '.join(odd)}."
        )
    return np.array([ours.index(name) for name in theirs], dtype=np.int64)


def matching_rows(
    earlier: Run, later: Run, old: Predictions, new: Predictions, log: Log
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of both predictions that show the same image, in the order of the later run."""
    names = [stored_names(run, said) for run, said in ((earlier, old), (later, new))]
    if None not in names:
        found = rows_of_equal_names(*names)  # type: ignore[arg-type]
        if len(found[0]):
            return found
    return rows_of_equal_names(pixel_names(earlier, old, log), pixel_names(later, new, log))


def stored_names(run: Run, said: Predictions) -> list[str] | None:
    """The stored digest of each image's file; None if one is unknown."""
    images = run.examined_images()
    if images is None:
        return None
    wanted = pl.DataFrame({"index": said.ids})
    known = images.select("index", "digest")
    digests = wanted.join(known, on="index", how="left", maintain_order="left")["digest"]
    return None if digests.null_count() else digests.to_list()


def pixel_names(run: Run, said: Predictions, log: Log) -> list[str]:
    """A digest of the pixels of each predicted image, read from the run's data."""
    examined = select_ids(images_of_predictions(opened_context(run, log)), said.ids)
    return [digest.tobytes().hex() for digest in pixel_digests(examined.images)]


def rows_of_equal_names(old: list[str], new: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows with equal names, in the order of `new`; repeated names are paired in their order."""
    waiting: dict[str, deque[int]] = {}
    for row, name in enumerate(old):
        waiting.setdefault(name, deque()).append(row)
    pairs = [(waiting[name].popleft(), row) for row, name in enumerate(new) if waiting.get(name)]
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]
