"""Class names that the user should check: one class with two spellings, several classes in one label."""

import re
import unicodedata
from collections.abc import Sequence

from deepsight.core.progress import Log
from deepsight.obtain.skipped_items import first_few

MARKS = ("?", "-", "--", "n/a", "na", "none", "null", "unknown", "unlabeled", "unlabelled", "missing", "tbd")
JOINTS = re.compile(r"\s*[|;,]\s*")  # separators between several classes of one image


def log_doubtful_classes(classes: Sequence[str], log: Log) -> None:
    """Log classes that may be one with two spellings, stand for a missing label, or hold several classes."""
    spelt: dict[str, list[str]] = {}
    for name in classes:
        spelt.setdefault(bare_name(name), []).append(f"'{name}'")
    if alike := [" and ".join(names) for names in spelt.values() if len(names) > 1]:
        log(
            "Some classes differ only in capitals, separators or leading zeros: "
            f"{first_few(alike, most=3)}. They are kept apart; if they are the same, use one spelling."
        )
    marks = [f"'{name}'" for name in classes if name.strip().casefold() in MARKS]
    if marks:
        log(
            f"Some classes look like marks for an unknown label: {first_few(marks)}. They are classes here; "
            "if they mean that a label is missing, leave these images out."
        )
    single = {name for name in classes if not JOINTS.search(name)}
    joined = [f"'{name}'" for name in classes if name not in single and single & set(JOINTS.split(name))]
    if joined:
        log(
            f"Some labels seem to hold several classes: {first_few(joined, most=3)}. DeepSight gives an "
            "image one class, so each combination is a separate class."
        )


def bare_name(name: str) -> str:
    """A name in lower case, without leading zeros, and with a single space between words."""
    plain = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", name).casefold()).strip()
    return re.sub(r"\b0+(?=\d)", "", plain)
