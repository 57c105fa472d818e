"""Labels of new pictures, which belong to no split yet: a table for `apply --add`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import polars as pl

from deepsight.core.errors import UsageError
from deepsight.core.files.atomic import atomic_path
from deepsight.core.files.damage import damage_as
from deepsight.core.files.spreadsheet import guarded_frame, unguarded_frame

NEW = "new"  # the split name of pictures that belong to no split yet


@dataclass(frozen=True)
class NewLabel:
    """The label of a new picture.

    Attributes:
        path: of the picture, absolute or relative to the table's folder.
        label: its class.
        who: the person, "" if nobody said.
        when: the time in ISO 8601, "" if unknown.
    """

    path: str
    label: str
    who: str = ""
    when: str = ""


COLUMNS = tuple(field.name for field in fields(NewLabel))


def write_new_labels(path: Path, labels: Sequence[NewLabel]) -> None:
    """Write the table: path, label, who, when."""
    frame = pl.DataFrame([asdict(label) for label in labels], schema=dict.fromkeys(COLUMNS, pl.String))
    with atomic_path(path) as temporary:
        guarded_frame(frame).write_csv(temporary)


def read_new_labels_table(path: Path, classes: Sequence[str]) -> list[NewLabel]:
    """The labels in a table with at least the columns path and label; paths are relative to its folder.

    Raises:
        UsageError: it cannot be read, lacks a column, or names an unknown class or a missing picture.
    """
    with damage_as(
        lambda why: UsageError(f"Expected labels as CSV in {path}, but it cannot be read: {why}.")
    ):
        frame = unguarded_frame(pl.read_csv(path, infer_schema=False))
    missing = [name for name in ("path", "label") if name not in frame.columns]
    if missing:
        raise UsageError(f"Expected the columns path and label in {path}, received {frame.columns}.")
    known = frame.select([name for name in COLUMNS if name in frame.columns]).fill_null("")
    labels = [NewLabel(**row) for row in known.iter_rows(named=True)]
    found = [NewLabel(str(path.parent / one.path), one.label, one.who, one.when) for one in labels]
    for one in found:
        if one.label not in classes:
            raise UsageError(
                f"Expected one of the classes {', '.join(classes[:12])} for {one.path}, received "
                f"'{one.label}'."
            )
        if not Path(one.path).is_file():
            raise UsageError(f"Expected the picture {one.path}, but it is not there.")
    return found
