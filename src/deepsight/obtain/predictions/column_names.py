"""The usual names of the columns of predictions: files, labels, predicted classes, and class scores."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from deepsight.obtain.predictions.class_names import places_of_classes
from deepsight.obtain.readers.table_file import named_column

Kind = Literal["probs", "logits", "unnamed"]

FILES = (
    "file", "files", "filename", "filenames", "file_name", "path", "paths", "image", "filepath", "file_path",
    "image_path", "image_name", "img_path", "img",
)  # fmt: skip
IDENTIFIERS = ("image_id", "id", "name")  # of images, if the column is text
CHOICES = (
    "pred", "prediction", "predicted", "predicted_label", "predicted_class", "pred_label", "pred_class",
    "y_pred", "predictions",
)  # fmt: skip
LABELS = ("label", "labels", "true", "target", "targets", "true_label", "y_true", "ground_truth")
CONFIDENCES = ("confidence", "probability", "prob", "score")
PROBABILITIES = ("probabilities", "probability", "prob")
NESTED: tuple[tuple[str, Kind], ...] = (
    ("probs", "probs"), ("probabilities", "probs"), ("logits", "logits"), ("scores", "unnamed"),
    ("predictions", "unnamed"), ("outputs", "unnamed"),
)  # fmt: skip


class Affix(NamedTuple):
    """The text before and after a class name in a column name, and the kind of numbers that it implies."""

    before: str
    after: str
    kind: Kind

    def around(self, name: str) -> str:
        """The column name of a class."""
        return f"{self.before}{name}{self.after}"

    def inside(self, column: str) -> str | None:
        """The text between prefix and suffix of a column name, ignoring case; None if they do not match."""
        plain = column.strip()
        stop = len(plain) - len(self.after)
        found = plain.casefold().startswith(self.before.casefold()) and plain.casefold().endswith(
            self.after.casefold()
        )
        return plain[len(self.before) : stop] if found and stop > len(self.before) else None


AFFIXES = (
    Affix("logit_", "", "logits"), Affix("prob_", "", "probs"), Affix("p_", "", "probs"),
    Affix("probability_", "", "probs"), Affix("score_", "", "unnamed"), Affix("p(", ")", "probs"),
    Affix("", "_logit", "logits"), Affix("", "_prob", "probs"), Affix("", "_probability", "probs"),
    Affix("", "_score", "unnamed"), Affix("", "", "unnamed"),
)  # fmt: skip


def file_column(frame: pl.DataFrame) -> str | None:
    """The column of files; None if there is none."""
    texts = frame.select(name for name, kind in frame.schema.items() if kind == pl.String)
    return named_column(frame, FILES) or named_column(texts, IDENTIFIERS)


def confidence_column(frame: pl.DataFrame, k: int) -> str | None:
    """The column of the confidence in the predicted class; None if there is none.

    A score counts as a confidence if all its numbers lie between 1 / k and 1, as largest probabilities do.
    """
    named = named_column(frame, CONFIDENCES)
    if named is None or named.strip().casefold() == CONFIDENCES[0] or not frame[named].dtype.is_numeric():
        return named
    low, high = frame[named].cast(pl.Float64).min(), frame[named].cast(pl.Float64).max()
    return named if isinstance(low, float) and isinstance(high, float) and 1 / k <= low <= high <= 1 else None


def one_of_two(frame: pl.DataFrame, classes: Sequence[str]) -> tuple[str, int, Kind] | None:
    """For two classes, the only column of scores, the position of its class, and its kind; else None.

    A column that names no class belongs to the second, as is customary.
    """
    if len(classes) != 2:
        return None
    for affix in AFFIXES:
        for place, name in enumerate(classes):
            if affix.around(name) in frame.columns:
                return affix.around(name), place, affix.kind
    named = named_column(frame, ("logit", *PROBABILITIES, "score", "p"))
    kind: Kind = "unnamed" if named is None or named.strip().casefold() == "score" else "probs"
    return None if named is None else (named, 1, "logits" if named.strip().casefold() == "logit" else kind)


def numbered_columns(frame: pl.DataFrame, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The columns 0, 1, … of k classes in this order, possibly with a prefix.

    Empty if a column is missing, or if the classes themselves have such names.
    """
    for prefix in ("", *(affix.before for affix in AFFIXES if not affix.after and affix.before), "class_"):
        names = tuple(f"{prefix}{place}" for place in range(len(classes)))
        beyond = f"{prefix}{len(classes)}" in frame.columns
        if set(names) <= set(frame.columns) and not beyond and not {str(i) for i in (0, 1)} & {*classes}:
            return names
    return ()


def class_columns(columns: Sequence[str], classes: tuple[str, ...]) -> dict[str, str]:
    """The exact names of columns of class scores that are written with other capitals or spaces."""
    exact = {affix.around(name) for affix in AFFIXES for name in classes}
    found: dict[str, str] = {}
    others = [name for name in columns if name not in exact]
    for affix in AFFIXES:
        stems = {name: stem for name in others if (stem := affix.inside(name)) is not None}
        for name, place in zip(stems, places_of_classes(list(stems.values()), classes), strict=True):
            meant = affix.around(classes[place])
            if place >= 0 and meant not in columns and meant not in found.values() and name not in found:
                found[name] = meant
    return found
