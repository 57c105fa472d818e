"""The preprocessing audit: does the model do better with other inputs than those that are documented?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints, Reals
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import macro_f1
from deepsight.core.statistics.mcnemar import mcnemar
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from deepsight.core.statistics.scale_free_likelihood import scale_free_likelihood
from deepsight.core.statistics.significance import holm
from deepsight.interpret.audits.audit import Audit

LEVEL = 0.05  # of Holm's correction over the alternatives
SAME = 1e-6  # nats; mean log-probabilities that differ by less are equal up to rounding
HINTS = {
    "BGR": "your channels are probably swapped",
    "RGB": "your channels are probably swapped",
    "BGR from 0 to 255": "it was probably trained on images as OpenCV reads them",
    "pixels 0 to 1": "the model was probably trained on pixels from 0 to 1",
    "pixels 0 to 255": "the model was probably trained on pixels from 0 to 255",
    "pixels -1 to 1": "the model was probably trained on pixels from -1 to 1",
    "ImageNet mean and deviation": "the model was probably trained with ImageNet's mean and deviation",
    "bicubic": "the model was probably trained on images resized this way",
    "bilinear": "the model was probably trained on images resized this way",
}
OTHER_HINT = "the documented preprocessing is probably not the one used in training"
UNITS = {
    "preprocessing": "change from the reference, which is the first row",
    "n": "images",
    "macro_f1": "mean F1 of the classes, 0 to 1",
    "difference": "macro-F1 minus that of the reference",
    "ci_low": "low end of the difference at 95 % (paired over images)",
    "ci_high": "high end of the difference at 95 % (paired over images)",
    "log_probability": "mean log-probability of the labels in nats, whatever the scale of the logits",
    "p_value": "McNemar's test against the reference, corrected over all rows (Holm)",
    "chosen": "whether the examination uses it, true or false",
}


def audit_preprocessing(logits: Mapping[str, Reals], labels: Ints, *, documented: bool) -> Audit[str]:
    """Compare the answers under several preprocessings of the same images.

    A documented reference is kept unless an alternative does better by more than chance. Without
    documentation the one is taken under which the labels are most probable.

    Args:
        logits: (n, k) for each preprocessing by name, the reference first.
        labels: int64 (n,).
        documented: whether the reference is what the model's own files say.

    Returns:
        The table `preprocessing_audit`, and the name of the preprocessing to use.
    """
    names, k = list(logits), next(iter(logits.values())).shape[1]
    predicted = {name: np.asarray(each.argmax(axis=1), dtype=np.int64) for name, each in logits.items()}
    reference = predicted[names[0]]
    scores = {name: macro_f1(labels, answers, k) for name, answers in predicted.items()}
    likelihoods = {name: scale_free_likelihood(each, labels) for name, each in logits.items()}
    p_values = corrected(predicted, labels)
    better = [n for n in names[1:] if p_values[n] <= LEVEL and scores[n] > scores[names[0]]]
    alike = most_likely(likelihoods)
    chosen = max(better or names[:1], key=lambda name: scores[name]) if documented else alike[0]
    rows = []
    for name, answers in predicted.items():
        effect = paired_macro_f1(labels, reference[None], answers[None], k)
        low, high = (0.0, 0.0) if name == names[0] else (effect.low, effect.high)
        rows.append(
            {
                "preprocessing": name, "n": len(labels), "macro_f1": scores[name],
                "difference": scores[name] - scores[names[0]], "ci_low": low, "ci_high": high,
                "p_value": p_values[name], "chosen": name == chosen, "log_probability": likelihoods[name],
            }
        )  # fmt: skip
    warning = gain_sentence(rows[names.index(chosen)]) if documented and better else None
    table = Table(
        pl.DataFrame(rows), UNITS, len(labels),
        method="The same images under each preprocessing; McNemar's test with Holm's correction; a "
        "documented preprocessing is replaced only by one that does better by more than chance. Without "
        "documentation the labels' log-probability decides.",
        caption=warning or said(chosen, documented, len(alike) - 1),
    )  # fmt: skip
    return Audit(table, chosen, warning)


def most_likely(likelihoods: Mapping[str, float]) -> list[str]:
    """The names of the highest mean log-probability in their order; several only if they are equal."""
    highest = max(likelihoods.values())
    return [name for name, value in likelihoods.items() if value >= highest - SAME]


def corrected(predicted: Mapping[str, Ints], labels: Ints) -> dict[str, float]:
    """McNemar's p of each preprocessing against the first, corrected by Holm; 1 for the first itself."""
    first, *others = predicted
    raw = [mcnemar(labels, predicted[first], predicted[name]).p_value for name in others]
    return {first: 1.0} | dict(zip(others, map(float, holm(raw)), strict=True))


def gain_sentence(row: Mapping[str, Any]) -> str:
    """The sentence for a documented preprocessing that loses to the one in this row of the table."""
    gain, low, high = (100 * row[name] for name in ("difference", "ci_low", "ci_high"))
    hint = HINTS.get(row["preprocessing"], OTHER_HINT)
    return (
        f"With {row['preprocessing']} it gains {gain:.1f} points of macro-F1 ({low:.1f} to {high:.1f}): "
        f"{hint}. The examination uses it instead of what is documented."
    )


def said(chosen: str, documented: bool, equal: int) -> str:
    """The caption without a warning; under `equal` others the labels are as probable as under the chosen."""
    if documented:
        return "No other preprocessing does better than the documented one by more than chance."
    if equal:
        return (
            f"No preprocessing is documented. The examination uses {chosen}; {equal} of the others tried "
            f"{'makes' if equal == 1 else 'make'} the labels as probable, so these images cannot tell them "
            "apart."
        )
    return (
        f"No preprocessing is documented. The examination uses {chosen}, under which the labels are most "
        "probable of those tried. Whether it is truly better than the next one was not tested."
    )
