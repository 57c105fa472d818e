"""The first screen: what a person who reads nothing else must know."""

from collections.abc import Iterable, Sequence
from typing import Any

from deepsight.report.formatting import NBSP, count_text, is_absent, percent_text, points_text, value_text
from deepsight.report.run_data import Facts, RunData

# The clause for each cause of the ledger; a cause that is not listed is named.
CAUSES = {
    "conflicting labels of one picture": "are pictures under conflicting labels",
    "leaked twin": "are near-duplicates with conflicting labels",  # in runs of earlier versions
    "label error": "have a wrong label",
    "ambiguous image": "are images that people may disagree on",
    "degraded image": "are images of low quality",
    "background reliance": "are fixed by other backgrounds",
    "confusable pair": "confuse similar classes",
    "model error": "have no known cause",
}
CONTEXT = {
    "BIASED": "the model relies on the background",
    "CLEAR": "backgrounds change its accuracy by less than 5 points",
    "INCONCLUSIVE": "whether it relies on the background is undecided",
}
NAMED_CAUSES, NAMED_PAIRS = 3, 2
NAMED = 0.005  # share of the errors; a smaller one would round to 0 %


def summary_sentence(study: RunData) -> tuple[str, str]:
    """One sentence in two parts: the score; what is known about errors, background and treatments."""
    clauses = (
        levers_clause(study) or causes_clause(study), background_clause(study), treatments_clause(study),
    )  # fmt: skip
    parts = [part for part in clauses if part]
    first = score_clause(study) or "This study has no score yet"
    return (f"{first};", f"{'; '.join(parts)}.") if parts else (f"{first}.", "")


def score_clause(study: RunData) -> str:
    """Accuracy with its interval, and whether macro-F1 reaches the minimum; empty without a score.

    Accuracy needs no explanation. Runs that stored no interval for it have macro-F1 instead.
    """
    metrics = study.metrics
    if is_absent(metrics.get("macro_f1")):
        return ""
    n, gated = examined_text(metrics), ""
    if metrics.get("accuracy_ci95"):
        text = f"{with_interval(metrics, 'accuracy')} of {n} are classified correctly"
        gated = " with macro-F1"  # the minimum is one of macro-F1
    else:
        text = f"{with_interval(metrics, 'macro_f1')} macro-F1 on {n}"
    if is_absent(metrics.get("mva")):
        return text
    verb = "above" if metrics.get("mva_passed") else "below"
    return f"{text},{gated} {verb} the minimum of {percent_text(metrics['mva'], 0)}"


def examined_text(metrics: Facts) -> str:
    """The number of examined images and their kind, in words."""
    if not metrics.get("n_test"):
        return "the test images"
    n = count_text(metrics["n_test"])
    said = f"{n} test images"
    if metrics.get("folds"):
        said = f"{n} images (by {metrics['folds']} models, none of which saw the images it predicts)"
    if metrics.get("n_groups"):
        worth = count_text(round(metrics["effective_n"]))
        said += f" from {count_text(metrics['n_groups'])} groups, equivalent to {worth} independent images,"
    return said


def with_interval(metrics: Facts, name: str) -> str:
    """A score of metrics.json with half of its interval, or with both ends if it is near 0 or 1."""
    value, interval = metrics[name], metrics.get(f"{name}_ci95")
    if interval and not is_absent(interval[0]):
        low, high = interval
        if not (high - low) / 2 <= value <= 1 - (high - low) / 2:
            return f"{percent_text(value)} ({percent_text(low)} to {percent_text(high)})"
    return f"{percent_text(value)}{half_width(interval)}"


def half_width(interval: Sequence[float] | None) -> str:
    """Half the width of an interval in points, such as " ± 1.2"; empty without an interval."""
    if not interval or is_absent(interval[0]):
        return ""
    return f"{NBSP}±{NBSP}{100 * (interval[1] - interval[0]) / 2:.1f}"


def levers_clause(study: RunData) -> str:
    """What would help, according to the levers that were tried; empty if none was."""
    table = study.table("levers", "name", "net")
    if table is None or table.frame.is_empty():
        return ""
    said = table.caption.removesuffix(".")
    return said[0].lower() + said[1:].replace(" %", f"{NBSP}%").replace(" ± ", f"{NBSP}±{NBSP}")


def causes_clause(study: RunData) -> str:
    """The largest causes in the ledger, the most confused pairs in brackets."""
    shares = sorted(study.rows("ledger_shares", "cause", "share"), key=lambda row: -row["share"])
    largest = [row for row in shares if row["share"] >= NAMED][:NAMED_CAUSES]
    if not largest:
        return ""
    said = [f"{percent_text(row['share'], 0)} {cause_phrase(study, row['cause'])}" for row in largest]
    ledger = study.table("ledger")
    errors = f"of {count_text(len(ledger.frame))} errors" if ledger else "of its errors"
    return f"{errors}, {enumerate_words(said)}"


def cause_phrase(study: RunData, cause: str) -> str:
    """The clause about errors of this cause; confusable pairs are named."""
    pairs = confused_pair_names(study) if cause == "confusable pair" else []
    brackets = f" ({', '.join(pairs)})" if pairs else ""
    return CAUSES.get(cause, f"have the cause {cause}") + brackets


def confused_pair_names(study: RunData) -> list[str]:
    """The flagged pairs with the most confusions, each unordered pair once: "cat–dog"."""
    rows = sorted(study.rows("confusion_pairs", "true", "predicted"), key=lambda row: -row["count"])
    names = ["–".join(sorted((row["true"], row["predicted"]))) for row in rows if row["flagged"]]
    return list(dict.fromkeys(names))[:NAMED_PAIRS]


def background_clause(study: RunData) -> str:
    """The verdict on the background; if it is BIASED, with the loss of accuracy and its control."""
    overall = overall_background(study)
    if overall is None:
        return ""
    said = CONTEXT[overall["verdict"]]
    if overall["verdict"] != "BIASED":
        return said
    lost = (
        f"{points_text(overall['effect']).lstrip('+')}{half_width([overall['ci_low'], overall['ci_high']])}"
    )
    alike = next((row for row in study.rows("context", "test") if row["test"] == "matched swap"), None)
    control = ""
    if alike is not None:
        control = f"; {points_text(alike['effect']).lstrip('+')} on backgrounds of similar colour"
    return f"{said} ({lost} points of accuracy{control})"


def overall_background(study: RunData) -> dict[str, Any] | None:
    """The row of the context table with the verdict over all classes; controls have no such verdict."""
    rows = study.rows("context", "class", "verdict")
    overall = (row for row in rows if row["class"] == "all" and row["verdict"] in CONTEXT)
    return next(overall, None)


def treatments_clause(study: RunData) -> str:
    """The best treatment that was shown to help, with its gain over the control; or that none was."""
    rows = study.rows("treatments", "name", "delta_macro_f1")
    if not rows:
        return ""
    helped = [row for row in rows if row["verdict"] == "helps"]
    if not helped:
        return "no treatment was shown to help"
    best = max(helped, key=lambda row: row["delta_macro_f1"])
    gain = f"{points_text(best['delta_macro_f1']).lstrip('+')}{half_width([best['ci_low'], best['ci_high']])}"
    more = f"; so did {len(helped) - 1} more" if len(helped) > 1 else ""
    return f"{value_text(best['name'])} helped by {gain} points against the control{more}"


def score_cards(study: RunData) -> list[dict[str, Any]]:
    """Macro-F1, macro-F1 without known near-duplicates, and accuracy, with their intervals.

    Scores on corrected labels are not shown here: the model helped to choose the corrections.
    """
    known = (
        ("macro_f1", "Macro-F1", examined_note(study)),
        ("macro_f1_without_leaks", "Without known near-duplicates", subpopulation_note(study.metrics)),
        ("accuracy", "Accuracy", "share of these images classified correctly"),
    )
    return [
        {
            "title": title,
            "note": note,
            "value": study.metrics[key],
            "interval": study.metrics.get(f"{key}_ci95"),
        }
        for key, title, note in known
        if not is_absent(study.metrics.get(key))
    ]


def examined_note(study: RunData) -> str:
    """Which images the score is for, and how it compares with published scores."""
    folds, split = study.metrics.get("folds"), (study.data.get("examined") or {}).get("split")
    if folds:
        return f"out of fold: {folds} models, each on images that it has not seen"
    if split not in (None, "test"):
        return f"on the split {split}"
    where = "on images that were held out" if study.data.get("held_out_test") else "on the official test set"
    return f"{where}{dropped_note(study)}"


def dropped_note(study: RunData) -> str:
    """How many copies of validation and test images were dropped from training, and what that means."""
    rows = study.rows("split_dropped", "split", "reason")
    dropped = sum(row["split"] == "train" and row["reason"] != "same group" for row in rows)
    if not dropped:
        return ""
    copies = "copy" if dropped == 1 else "copies"
    said = f", trained without {count_text(dropped)} {copies} of validation and test images"
    if study.data.get("held_out_test"):
        return said  # nobody has published scores on images that were held out here
    return f"{said}; conservative next to published scores, whose models were trained with them"


def subpopulation_note(metrics: Facts) -> str:
    """Which images the score without near-duplicates is for, and the score expected from their classes."""
    n, expected = metrics.get("n_leaked"), metrics.get("macro_f1_without_leaks_expected")
    left = "test images" if n is None else f"{count_text(n)} test images"
    said = f"a part of the test set: {left} with a known near-duplicate left out"
    if is_absent(expected):
        return said
    return f"{said}; expected from their classes: {percent_text(expected)}"


def enumerate_words(words: Iterable[str]) -> str:
    """Words as a list in a sentence: "a", "a and b", "a, b and c"."""
    items = list(words)
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
