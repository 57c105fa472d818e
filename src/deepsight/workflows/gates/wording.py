"""Results of gates in words: what was measured, as a reader would say it, and what the gate asks for."""

from collections.abc import Mapping
from math import isclose
from typing import Final, NamedTuple

from deepsight.workflows.gates.gate_metrics import NO_SLICE, PER_CLASS, Measured


class Unit(NamedTuple):
    """How the values of a metric are written: multiplied by `scale`, with `digits` decimals and `sign`."""

    scale: int
    sign: str
    digits: int


SHARE: Final = Unit(100, " %", 1)
POINTS: Final = Unit(100, " points", 1)
NUMBER: Final = Unit(1, "", 2)
MOST_DIGITS = 4

STUDY_WORDS: Mapping[str, tuple[str, Unit]] = {
    "macro_f1": ("macro-F1", SHARE),
    "macro_f1_without_leaks": ("macro-F1 without known near-duplicates", SHARE),
    "accuracy": ("accuracy", SHARE),
    "recall": ("recall", SHARE),
    "precision": ("precision", SHARE),
    "f1": ("F1", SHARE),
    "calibration_error": ("the root mean square calibration error", POINTS),
    "near_duplicate_share": ("the share of test images with a near-duplicate in train or validation", SHARE),
    "label_error_share": ("the share of test images whose label is flagged as wrong", SHARE),
    "background_gap": ("the accuracy that backgrounds of other classes cost", POINTS),
    "slice_excess": ("excess error rate", POINTS),
    "slice_error_rate": ("error rate", SHARE),
    "group_accuracy": ("accuracy", SHARE),
    "group_macro_f1": ("macro-F1", SHARE),
}
AUDIT_WORDS: Mapping[str, tuple[str, Unit]] = {
    "unreadable_share": ("the share of files that cannot be read", SHARE),
    "dark_share": ("the share of dark images", SHARE),
    "bright_share": ("the share of bright images", SHARE),
    "blurred_share": ("the share of blurred images", SHARE),
    "low_information_share": ("the share of nearly empty images", SHARE),
    "odd_size_share": ("the share of images with an odd size", SHARE),
    "odd_aspect_share": ("the share of images with an odd aspect ratio", SHARE),
    "exact_duplicate_share": ("the share of exact copies", SHARE),
    "near_duplicate_share": ("the share of images that repeat another", SHARE),
    "split_leakage_share": ("the share of images with a copy in another split", SHARE),
    "training_copy_share": ("the share of images that the run was trained on", SHARE),
    "conflicting_copy_share": ("the share of images with a copy under another label", SHARE),
    "outlier_share": ("the share of images unlike all others", SHARE),
    "label_error_share": ("the share of labels flagged as wrong", SHARE),
    "misnamed_share": ("the share of files named after another class", SHARE),
    "group_leakage_share": ("the share of images whose group lies in two splits", SHARE),
    "class_imbalance": ("the ratio of the largest class to the smallest", NUMBER),
    "shortcut_gain": ("the accuracy above chance of the most telling attribute", POINTS),
    "property_drift": ("the largest drift of an image property (Hedges' g)", NUMBER),
    "feature_drift": ("the area under the ROC curve that tells new images from old ones", NUMBER),
    "class_drift": ("the largest change in the share of a predicted class", POINTS),
    "unfamiliar_share": ("the share of images unlike the run's training images", SHARE),
}
ASKED = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
SUPERLATIVES = {"min": "the lowest ", "max": "the highest ", "mean": "the mean "}
OWNERS = {"class": "", "slice": "the slice ", "group": "the group "}


class Asked(NamedTuple):
    """What a gate asks for.

    Attributes:
        metric: its stored name.
        aggregate: "min", "max", "mean" or None.
        operator: the sign between value and bound.
        bound: in the unit of the metric.
        by_interval: whether the cautious end of the interval is compared.
    """

    metric: str
    aggregate: str | None
    operator: str
    bound: float
    by_interval: bool


def comparison_sentence(asked: Asked, one: Measured, *, passed: bool, audit: bool) -> str:
    """The measured value with its interval, and what the gate asks for."""
    words, unit = (AUDIT_WORDS if audit else STUDY_WORDS)[asked.metric]
    subject = subject_phrase(asked, one, words)
    shown = quantity(one, unit, asked.bound)
    end = f" at the {'low' if asked.operator.startswith('>') else 'high'} end" if asked.by_interval else ""
    required = f"the gate asks for {ASKED[asked.operator]} {unit.scale * asked.bound:.10g}{unit.sign}{end}"
    said = f"{subject} is {shown} on {one.n:,} images{'; ' if passed else ', but '}{required}."
    return said[:1].upper() + said[1:]


def subject_phrase(asked: Asked, one: Measured, words: str) -> str:
    """What was measured: "the lowest recall, of cat", "recall of cat", "macro-F1"."""
    if asked.metric not in PER_CLASS:
        return words
    if one.name == NO_SLICE:
        return f"no slice is confirmed, so the {words}"
    kind = PER_CLASS[asked.metric]
    superlative = SUPERLATIVES.get(asked.aggregate or "", "")
    if not one.name:
        return f"{superlative}{words} over the {'classes' if kind == 'class' else f'{kind}s'}"
    return f"{superlative}{words}{', of' if superlative else ' of'} {OWNERS[kind]}{one.name}" + (
        "," if superlative else ""
    )


def quantity(one: Measured, unit: Unit, bound: float) -> str:
    """A value with its unit and its interval, with enough decimals to differ from the bound."""
    digits = digits_apart(one.value, bound, unit)
    text = f"{unit.scale * one.value:.{digits}f}{unit.sign}"
    if one.low is None or one.high is None:
        return text
    low, high = (f"{unit.scale * end:.{digits}f}" for end in (one.low, one.high))
    return f"{text} (95 % interval {low} to {high})"


def digits_apart(value: float, bound: float, unit: Unit) -> int:
    """The fewest decimals, from the unit's up to four, with which value and bound read differently."""
    if isclose(value, bound):
        return unit.digits
    return next(
        (
            digits
            for digits in range(unit.digits, MOST_DIGITS)
            if f"{unit.scale * value:.{digits}f}" != f"{unit.scale * bound:.{digits}f}"
        ),
        MOST_DIGITS,
    )


def points(value: float) -> str:
    """A signed difference of shares in points: "+0.3"."""
    return f"{100 * value:+.1f}"
