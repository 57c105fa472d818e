"""The first screen of an audit, and the results of gates for any report."""

from typing import Any

from deepsight.report.formatting import count_text, percent_text
from deepsight.report.run_data import RunData

# The clause for each metric that is a share of images, the most urgent first.
SAID = {
    "unreadable_share": "cannot be read",
    "training_copy_share": "are copies of images that the run was trained on",
    "split_leakage_share": "have a copy in another split",
    "group_leakage_share": "have neighbours of the same group in another split",
    "conflicting_copy_share": "have a copy under another label",
    "label_error_share": "may have a wrong label",
    "near_duplicate_share": "repeat another image",
    "unfamiliar_share": "are unlike the run's training images",
    "outlier_share": "are unlike all others",
    "dark_share": "are dark",
    "bright_share": "are bright",
    "blurred_share": "are blurred",
    "low_information_share": "are nearly empty",
    "odd_size_share": "have an odd size",
    "odd_aspect_share": "have an odd aspect ratio",
    "misnamed_share": "are named after another class",
}
MOST_CLAUSES, FEW = 4, 1e-4
SMALLEST = 0.0005  # a smaller share would read "0.0 %"
CARDS = {
    "near_duplicate_share": ("Repeated images", "could be removed: a copy remains"),
    "label_error_share": ("Suspected labels", "flagged for review"),
    "split_leakage_share": ("Split leakage", "of the images have a copy in another split"),
    "training_copy_share": ("Copies of training images", "of the run compared with"),
    "unfamiliar_share": ("Unfamiliar images", "1 % is expected for images like the run's"),
    "unreadable_share": ("Unreadable files", "set aside"),
}


def audit_sentence(study: RunData) -> tuple[str, str]:
    """One sentence in two parts: what was audited, and its most urgent faults."""
    facts, metrics = study.audit, study.audit.get("metrics", {})
    if not facts:
        return "This audit is not finished.", ""
    classes = f" of {facts['classes']} classes" if facts.get("classes") else " without labels"
    first = f"{count_text(facts['n'])} images{classes} were audited"
    found = [
        f"{share_phrase(metrics[name]['value'])} {said}"
        for name, said in SAID.items()
        if name in metrics and metrics[name]["value"] > FEW and not is_expected(name, metrics[name])
    ]
    if not found:
        return f"{first};", "none of the faults looked for was found."
    return f"{first};", f"{', '.join(found[:MOST_CLAUSES])}."


def share_phrase(share: float) -> str:
    """A share as a percentage; one that would read "0.0 %" as a bound."""
    return percent_text(share) if share >= SMALLEST else f"less than {percent_text(2 * SMALLEST)}"


def is_expected(name: str, metric: dict[str, Any]) -> bool:
    """Whether chance explains this share of unfamiliar images: of familiar ones, 1 % are expected."""
    return bool(name == "unfamiliar_share" and (metric["low"] or 0) <= 0.01)


def audit_cards(study: RunData) -> list[dict[str, Any]]:
    """The first four of the cards whose metric was measured, with their intervals."""
    metrics = study.audit.get("metrics", {})
    return [
        {
            "title": title, "note": note, "value": metrics[name]["value"],
            "interval": (metrics[name]["low"], metrics[name]["high"]),
        }
        for name, (title, note) in CARDS.items()
        if name in metrics
    ][:4]  # fmt: skip


def gate_results(study: RunData) -> list[dict[str, Any]]:
    """The stored results of gates on this folder."""
    return list((study.audit if study.is_audit else study.metrics).get("gates", []))
