"""Tables of images in other programs' layouts: parts and classes in columns of their own."""

import re
from collections.abc import Mapping, Sequence

import polars as pl

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.obtain.local_file import is_picture
from deepsight.obtain.other_layouts import boxes_advice
from deepsight.obtain.readers.part_names import part_of_name
from deepsight.obtain.readers.tables.table_file import named_column, truth_values
from deepsight.obtain.skipped_items import first_few

PARTS = ("subset", "partition", "set", "phase", "data_split", "dataset_split")
# The value of a flag, and the part of its rows; the names are fastai's and those of tables of birds.
FLAGS = {
    "is_valid": (1, "val"), "is_val": (1, "val"), "is_test": (1, "test"), "is_train": (0, "test"),
    "is_training": (0, "test"), "is_training_image": (0, "test"), "train": (0, "test"),
}  # fmt: skip
GROUPS = (
    "patient", "patient_id", "patientid", "subject", "subject_id", "participant", "participant_id",
    "individual", "video", "video_id", "session", "session_id", "specimen", "slide_id", "sequence_id",
)  # fmt: skip
PIXELS = 16  # columns of single pixels that make a picture


def by_row(frame: pl.DataFrame) -> pl.DataFrame:
    """A table with one row per file, from a JSON object with a label for each file; else the table itself.

    Raises:
        DeepSightError: it is COCO's JSON of boxes, or holds pixels instead of paths.
    """
    if {"images", "annotations", "categories"} <= set(frame.columns):
        raise DeepSightError(f"Expected a table with one row per picture. {boxes_advice('COCO')}")
    numbered = [name for name in frame.columns if re.fullmatch(r"(?i)(?:pixel|px|p)[ _-]?\d+|\d+x\d+", name)]
    if named_column(frame, ("pixels",)) is not None or len(numbered) >= PIXELS:
        raise DeepSightError(
            "Expected a table with one path per picture, received the pixels themselves. Write them as "
            "arrays: np.savez(FILE, images=pixels.reshape(-1, h, w), labels=labels), and name arrays:FILE.npz"
        )
    if len(frame) != 1 or not all(is_picture(name) for name in frame.columns):
        return frame
    if all(isinstance(kind, pl.Struct) for kind in frame.dtypes):
        cells = [frame[name][0] for name in frame.columns]
        return pl.DataFrame(cells, strict=False).with_columns(path=pl.Series(frame.columns))
    return pl.DataFrame(
        {"path": frame.columns, "label": pl.Series([frame[name][0] for name in frame.columns], strict=False)}
    )


def with_usual_columns(
    frame: pl.DataFrame, options: Mapping[str, str], paths: Sequence[str], labels: Sequence[str], log: Log
) -> pl.DataFrame:
    """The table with the columns `split` and `label`, derived from other columns if possible.

    Args:
        frame: the table.
        options: of the address; a column that is named there is not derived.
        paths, labels: the usual names of these columns.
        log: receives which columns are used instead.
    """
    if "split" not in options and named_column(frame, ("split",)) is None:
        frame = with_split(frame, log)
    if "label" not in options and named_column(frame, labels) is None:
        known = {named_column(frame, paths), named_column(frame, ("group",)), *options.values()}
        frame = with_label(frame, known, log)
    return frame


def with_split(frame: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The table with a column `split`, if another column holds names of parts or flags of held-out rows."""
    named = named_column(frame, PARTS)
    if named is None or not holds_parts(frame[named]):
        named = next((name for name in frame.columns if holds_parts(frame[name], several=True)), None)
    if named is not None:
        log(f"The column '{named}' is read as the part of each image.")
        return frame.rename({named: "split"})
    marks = {column: name for name in FLAGS if (column := named_column(frame, (name,))) is not None}
    flags = {column: name for column, name in marks.items() if is_flag(frame[column])}
    if not flags:
        return frame
    log(f"Which images are held out is read from {', '.join(flags)}.")
    split = pl.lit("train")
    for column, name in flags.items():
        value, part = FLAGS[name]
        split = (
            pl.when(truth_values(frame[column]).cast(pl.Int64) == value).then(pl.lit(part)).otherwise(split)
        )
    return frame.with_columns(split.alias("split")).drop(list(flags))


def holds_parts(column: pl.Series, *, several: bool = False) -> bool:
    """Whether a column holds only names of parts, among them train, and if `several`, another one."""
    if column.dtype != pl.String:
        return False
    parts = {part_of_name(name) for name in column.drop_nulls().unique()}
    return "train" in parts and None not in parts and (len(parts) > 1 or not several)


def log_unused_groups(frame: pl.DataFrame, group: str | None, log: Log) -> None:
    """Log that a column that seems to name groups, such as patients, is not used as one."""
    named = None if group is not None else named_column(frame, GROUPS)
    if named is not None and frame[named].drop_nulls().is_duplicated().any():
        log(
            f"The column '{named}' is treated as metadata, so images of one {named} may be in training and "
            f"in test. ?group={named} keeps them together."
        )


def with_label(frame: pl.DataFrame, known: set[str | None], log: Log) -> pl.DataFrame:
    """The table with a column `label`, if each class has a column of 0 and 1 (one-hot).

    Raises:
        DeepSightError: a row does not hold exactly one 1.
    """
    flags = [name for name in frame.columns if name not in known and is_flag(frame[name])]
    if len(flags) < 2:
        return frame
    marks = frame.select(truth_values(frame[name]).cast(pl.Int64) for name in flags)
    total = marks.select(pl.sum_horizontal(pl.all())).to_series()
    if wrong := int((total != 1).sum()):
        raise DeepSightError(
            f"Expected a column 'label', or one 1 in each row of the columns {first_few(flags)}; received "
            f"{wrong:,} of {len(frame):,} rows with none or several. An image has one class here: name the "
            "column of labels with ?label=COLUMN"
        )
    log(f"The labels are read from the columns {first_few(flags)}: the one that holds a 1.")
    label = pl.coalesce([pl.when(marks[name] == 1).then(pl.lit(name)) for name in flags])
    return frame.with_columns(label.alias("label")).drop(flags)


def is_flag(column: pl.Series) -> bool:
    """Whether a column holds only 0 and 1, or true and false, without missing values."""
    column = truth_values(column)
    numbers = column.dtype.is_numeric() or column.dtype == pl.Boolean
    return numbers and not column.null_count() and bool(column.cast(pl.Float64).is_in([0.0, 1.0]).all())
