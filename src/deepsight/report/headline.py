"""The first screen: what a person who reads nothing else should know."""

from collections.abc import Iterable
from typing import Any

from deepsight.report.numbers import NBSP, absent, count, percent, points
from deepsight.report.study import Study

# How the sentence speaks of each cause of the ledger. A cause that is not here speaks for itself.
CAUSES = {
    "confusable pair": "are mix-ups of similar classes",
    "label error": "are wrong labels",
    "humans would split": "are images that people would argue about",
    "background reliance": "lean on the background",
    "degraded image": "are degraded images",
    "leaked twin": "are twins under conflicting labels",
    "plain model error": "are plain mistakes of the model",
}
NAMED_CAUSES, NAMED_PAIRS = 3, 2


def sentence(study: Study) -> tuple[str, str]:
    """One sentence in two parts: the score; what is known of errors, context and treatments."""
    parts = [part for part in (causes(study), context(study), treatments(study)) if part]
    first = score(study) or "This study has no score yet"
    return (f"{first};", f"{'; '.join(parts)}.") if parts else (f"{first}.", "")


def score(study: Study) -> str:
    """The score with its interval, and whether it passes the minimum."""
    metrics = study.metrics
    if absent(metrics.get("macro_f1")):
        return ""
    text = f"{percent(metrics['macro_f1'])} macro-F1"
    if metrics.get("macro_f1_ci95"):
        low, high = metrics["macro_f1_ci95"]
        text += f"{NBSP}±{NBSP}{100 * (high - low) / 2:.1f}"
    if metrics.get("n_test"):
        text += f" on {count(metrics['n_test'])} test images"
    if absent(metrics.get("mva")):
        return text
    verb = "passes" if metrics.get("mva_passed") else "misses"
    return f"{text}: it {verb} the minimum of {percent(metrics['mva'], 0)}"


def causes(study: Study) -> str:
    """The largest causes in the ledger, the most confused pairs in brackets."""
    shares = sorted(study.rows("ledger_shares", "cause", "share"), key=lambda row: -row["share"])
    largest = [row for row in shares if row["share"] > 0][:NAMED_CAUSES]
    if not largest:
        return ""
    said = [f"{percent(row['share'], 0)} {phrase(study, row['cause'])}" for row in largest]
    ledger = study.table("ledger")
    errors = f"of {count(len(ledger.frame))} errors" if ledger else "of its errors"
    return f"{errors}, {enumerate_words(said)}"


def phrase(study: Study, cause: str) -> str:
    """What the errors of this cause are, with the pairs named where the cause is a pair."""
    words = CAUSES.get(cause) or next((text for name, text in CAUSES.items() if cause.startswith(name)), "")
    pairs = confused(study) if "pair" in cause else []
    brackets = f" (above all {enumerate_words(pairs)})" if pairs else ""
    return (words or f"are {cause}s") + brackets


def confused(study: Study) -> list[str]:
    """The flagged pairs with the most confusions, each unordered pair once: "cat–dog"."""
    rows = sorted(study.rows("confusion_pairs", "true", "predicted"), key=lambda row: -row["count"])
    names = ["–".join(sorted((row["true"], row["predicted"]))) for row in rows if row["flagged"]]
    return list(dict.fromkeys(names))[:NAMED_PAIRS]


def context(study: Study) -> str:
    """The verdict on the background."""
    overall = overall_context(study)
    words = {
        "BIASED": "the model leans on the background",
        "CLEAR": "the model looks at the object and not at the background",
        "INCONCLUSIVE": "whether the model leans on the background could not be decided",
    }
    return words.get(str(overall["verdict"]), "") if overall else ""


def overall_context(study: Study) -> dict[str, Any] | None:
    """The row of the context test over all classes: the first that names no class."""
    rows = study.rows("context", "class", "verdict")
    overall = [row for row in rows if row["class"] in (None, "", "all", "all classes") and row["verdict"]]
    return overall[0] if overall else None


def treatments(study: Study) -> str:
    """The treatment that helped most, or that none was shown to."""
    rows = study.rows("treatments", "name", "delta_macro_f1")
    if not rows:
        return ""
    helped = [row for row in rows if row["verdict"] == "helps"]
    if not helped:
        return "no treatment was shown to help"
    best = max(helped, key=lambda row: row["delta_macro_f1"])
    half = 100 * (best["ci_high"] - best["ci_low"]) / 2
    gain = points(best["delta_macro_f1"]).lstrip("+")
    return f"{best['name']} helped by {gain}{NBSP}±{NBSP}{half:.1f} points"


def scores(study: Study) -> list[dict[str, Any]]:
    """The score, and what is left of it when the test set is cleaned, with the intervals."""
    known = (
        ("macro_f1", "Macro-F1", "the official test set"),
        ("macro_f1_without_leaks", "Without leaked twins", "test images with a twin in train left out"),
        ("macro_f1_corrected_labels", "Under corrected labels", "flagged labels replaced by the suggestion"),
    )
    found = ((key, title, note) for key, title, note in known if not absent(study.metrics.get(key)))
    return [
        {
            "title": title,
            "note": note,
            "value": study.metrics[key],
            "interval": study.metrics.get(f"{key}_ci95"),
        }
        for key, title, note in found
    ]


def enumerate_words(words: Iterable[str]) -> str:
    """Words as a list in a sentence: "a", "a and b", "a, b and c"."""
    items = list(words)
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
