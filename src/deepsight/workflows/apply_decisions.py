"""Applies a reader's decisions: writes a cleaned data set with its provenance, and leaves the user's own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import deepsight
from deepsight.core.dataset import Dataset, class_counts
from deepsight.core.decisions import Decision, read_decisions
from deepsight.core.errors import UsageError
from deepsight.core.files.atomic import write_json
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.obtain.local_file import normal_path
from deepsight.obtain.skipped_items import first_few
from deepsight.workflows.cleaned_data import Parts, base_folder, file_names_of, kept_options, write_cleaned
from deepsight.workflows.exchange.new_labels import read_new_labels_table
from deepsight.workflows.study_context import Context, opened_context

PROVENANCE = "provenance.json"


@dataclass(frozen=True)
class CleanedData:
    """A data set after decisions.

    Attributes:
        data: its name for `--data`, such as "table:clean/cleaned.csv".
        provenance: the content of `provenance.json`.
    """

    data: str
    provenance: Mapping[str, Any]


def apply_decisions(
    run: str | Path, decisions: str | Path, to: str | Path, *, add: str | Path | None = None,
    log: Log = silent,
) -> CleanedData:  # fmt: skip
    """Write the data set of a run with a reader's decisions applied; the user's own files stay as they are.

    Relabelled images get their new label, removed ones are left out; kept and unsure ones stay. Where images
    are files the result is a table of paths and labels, otherwise one .npz with the pixels.

    Args:
        run: the run folder that the decisions are about.
        decisions: the CSV that the report exports.
        to: a folder for the cleaned data set; it is made if absent.
        add: a table of new pictures and their labels, as `receive` writes it; they are added to train.
        log: receives messages for the user, such as a warning that the test set changes.

    Raises:
        UsageError: a decision names an unknown image or class, or a given label that differs from the data's;
            or pictures are to be added to data whose images are not files.
    """
    opened, file, folder = Run.open(Path(run)), Path(decisions), Path(to)
    context = opened_context(opened, log)
    before = official_parts(context)
    decided = [official_decision(one, opened, before) for one in read_decisions(file, log=log)]
    after = {
        name: with_decisions(part, decisions_of_part(decided, name, before)) for name, part in before.items()
    }
    new = [] if add is None else read_new_labels_table(Path(add), after["train"].classes)
    warn_about_emptied_classes(before, after, log)
    data = write_cleaned(folder, after, base_folder(context.study.data), new)
    data += kept_options(context.study)
    changed_images = {name: changes(decided, name, before) for name in before}
    provenance = {
        "from_run": str(opened.path),
        "from_data": context.study.data,
        "decisions": str(file),
        "decisions_sha256": sha256(file.read_bytes()).hexdigest(),
        "decided": dict(Counter(one.decision for one in decided)),
        "changes": changed_images,
        "images": {name: len(part) for name, part in after.items()},
        "added": len(new),
        "who": sorted({one.who for one in decided if one.who}),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "deepsight": deepsight.__version__,
    }
    write_json(folder / PROVENANCE, provenance)
    warn_about_test(changed_images["test"], log)
    return CleanedData(data, provenance)


def official_parts(context: Context) -> Parts:
    """The official parts of the run's data set by name, before any image was split off or dropped."""
    got = context.obtained
    validation = {} if got.validation is None else {"val": got.validation}
    return {"train": got.train, **validation, "test": got.test}


def official_decision(one: Decision, run: Run, parts: Parts) -> Decision:
    """The decision with the split and id of the official part that its image belongs to.

    The findings call all examined images test. In a study of folds and in an examination of another part
    than test, their ids are rows of that part or, for "all", of the joined parts.
    """
    split = run.examined_split
    if one.split != "test" or split == "test":
        return one
    if split in parts:
        return replace(one, split=split)
    folds = "folds" in run.read_json("data.json")["examined"]
    joined = {name: part for name, part in parts.items() if not folds or name != "val"}
    if len({part.source for part in joined.values()}) == 1:
        found = (name for name, part in joined.items() if one.id in part.ids)
        return replace(one, split=next(found, "test"))
    start = 0
    for name, part in joined.items():
        if one.id < start + len(part):
            return replace(one, split=name, id=int(part.ids[one.id - start]))
        start += len(part)
    return one


def decisions_of_part(decisions: Sequence[Decision], name: str, parts: Parts) -> list[Decision]:
    """The decisions about an official part; validation that was cut from train counts as train."""
    return [one for one in decisions if (one.split if one.split in parts else "train") == name]


def with_decisions(part: Dataset, decisions: Sequence[Decision]) -> Dataset:
    """The part with the new labels and without the removed images."""
    labels, keep = part.labels.copy(), np.ones(len(part), dtype=bool)
    row_of = {int(image): row for row, image in enumerate(part.ids)}
    for one in decisions:
        row = require_image(one, part, row_of)
        if one.decision == "relabel":
            labels[row] = require_class(one, part.classes)
        keep[row] = one.decision != "remove"
    return replace(part, labels=labels).select(np.flatnonzero(keep))


def require_image(one: Decision, part: Dataset, row_of: Mapping[int, int]) -> int:
    """The row of a decided image.

    Raises:
        UsageError: the part has no such image, or its label is not the one that the decision names.
    """
    if one.id not in row_of:
        raise UsageError(
            f"Expected a {one.split} image with id {one.id}, but the data has none. "
            "Apply decisions to the run that they were made on."
        )
    row = row_of[one.id]
    names = file_names_of(part)
    if one.file and names is not None and not same_file(one.file, names[row]):
        raise UsageError(
            f"Expected {one.split} {one.id} to be the file '{one.file}', but the data has '{names[row]}'. "
            "Apply decisions to the run that they were made on."
        )
    given = part.classes[part.labels[row]]
    if given != one.given:
        raise UsageError(
            f"Expected {one.split} {one.id} to be labelled '{one.given}', but the data says '{given}'. "
            "Apply decisions to the run that they were made on."
        )
    return row


def same_file(one: str, other: str) -> bool:
    """Whether two paths name one file: the same, or one the end of the other."""
    a, b = (f"/{normal_path(name).lstrip('/')}" for name in (one, other))
    return a.endswith(b) or b.endswith(a)


def require_class(one: Decision, classes: Sequence[str]) -> int:
    """The position of the new label.

    Raises:
        UsageError: there is no such class.
    """
    if one.label not in classes:
        raise UsageError(
            f"Expected one of the classes {', '.join(classes)} for {one.split} {one.id}, "
            f"received '{one.label}'."
        )
    return list(classes).index(one.label)


def changes(decisions: Sequence[Decision], name: str, parts: Parts) -> dict[str, int]:
    """How many images of a part were relabelled and removed."""
    count = Counter(one.decision for one in decisions_of_part(decisions, name, parts))
    return {verdict: count[verdict] for verdict in ("relabel", "remove")}


def warn_about_emptied_classes(before: Parts, after: Parts, log: Log) -> None:
    """Say of which classes no training image is left: the cleaned data no longer has them."""
    classes = before["train"].classes
    counts = [class_counts(parts["train"].labels, classes) for parts in (before, after)]
    lost = [f"'{name}'" for name, had, has in zip(classes, *counts, strict=True) if had and not has]
    if lost:
        log(f"No training image is left of {first_few(lost)}: nothing can be learnt of such a class.")


def warn_about_test(of_test: Mapping[str, int], log: Log) -> None:
    """Warn that scores on the old and the new test set are not comparable."""
    if any(of_test.values()):
        log(
            f"The test set changes: {of_test['relabel']} images relabelled, {of_test['remove']} removed. "
            "Scores on the old and the new test set cannot be compared directly; quote both."
        )
