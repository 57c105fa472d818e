"""The usual names of the columns of predictions: files, labels, predicted classes, and class scores."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from deepsight.obtain.predictions.class_names import places_of_classes
from deepsight.obtain.readers.tables.table_file import named_column

SEPARATOR = r"[\s._:-]+"  # between a class name and what stands before or after it
Kind = Literal["probs", "logits", "unnamed"]

FILES = (
    "file", "files", "filename", "filenames", "file_name", "path", "paths", "image", "filepath", "file_path",
    "image_path", "image_name", "img_path", "img",
)  # fmt: skip
IDENTIFIERS = ("image_id", "id", "name")  # of images, if the column is text
CHOICES = (
    "pred", "prediction", "predicted", "predicted_label", "predicted_class", "pred_label", "pred_class",
    "y_pred", "predictions", "preds", "y_hat", "yhat",
)  # fmt: skip
LABELS = (
    "label", "labels", "true", "target", "targets", "true_label", "y_true", "ground_truth", "actual", "gt",
    "true_class",
)  # fmt: skip
CONFIDENCES = ("confidence", "probability", "prob", "score")
SHORT_CONFIDENCES = ("conf", "p")  # only where other columns show that scores are meant
LOGITS = ("logit", "logits")
PROBABILITIES = ("probabilities", "probability", "prob", "proba", "y_prob", "y_proba", "softmax")
SCORES = ("scores", "y_score", "outputs", "output", "decision_function")  # of unknown kind
FEATURES = ("embeddings", "embedding", "feats")
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
        """The text between prefix and suffix of a column name, ignoring case and the separator between
        them; None if they do not match."""
        before, after = (re.escape(text).replace("_", SEPARATOR) for text in (self.before, self.after))
        found = re.fullmatch(f"{before}(.+){after}", column.strip().lstrip("."), re.IGNORECASE)
        return found[1] if found else None


AFFIXES = (
    Affix("logit_", "", "logits"), Affix("prob_", "", "probs"), Affix("p_", "", "probs"),
    Affix("probability_", "", "probs"), Affix("score_", "", "unnamed"), Affix("p(", ")", "probs"),
    Affix("", "_logit", "logits"), Affix("", "_prob", "probs"), Affix("", "_probability", "probs"),
    Affix("", "_score", "unnamed"), Affix("", "", "unnamed"),
    Affix("softmax_", "", "probs"), Affix("proba_", "", "probs"), Affix("confidence_", "", "probs"),
    Affix("conf_", "", "probs"), Affix("pred_", "", "unnamed"), Affix("logprob_", "", "logits"),
    Affix("log_prob_", "", "logits"), Affix("", "_p", "probs"), Affix("", "_proba", "probs"),
    Affix("", "_confidence", "probs"), Affix("", "_conf", "probs"), Affix("", "_softmax", "probs"),
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
    named = named_column(frame, ("logit", *PROBABILITIES, "score", "p", *SCORES))
    return None if named is None else (named, 1, kind_of_scores(named))


def kind_of_scores(column: str) -> Kind:
    """What the numbers in a column of this name are, which is one of the names of scores in this module."""
    plain = column.strip().casefold()
    if plain in LOGITS:
        return "logits"
    named = plain in (*PROBABILITIES, *SHORT_CONFIDENCES, CONFIDENCES[0])
    return "probs" if named else "unnamed"


def numbered_columns(frame: pl.DataFrame, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The columns 0, 1, … of k classes in this order, possibly with a prefix, and then also from 1.

    Empty if a column is missing, or if the classes themselves have such names.
    """
    for prefix in ("", *(affix.before for affix in AFFIXES if not affix.after and affix.before), "class_"):
        for first in (0, 1) if prefix else (0,):
            names = tuple(f"{prefix}{first + place}" for place in range(len(classes)))
            others = {f"{prefix}{first + len(classes)}", f"{prefix}{first - 1}"} & {*frame.columns}
            if set(names) <= set(frame.columns) and not others and not {"0", "1"} & {*classes}:
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
