"""Names of classes that a person should look at: one class spelt in two ways, several classes in one cell."""

import re
import unicodedata
from collections.abc import Sequence

from deepsight.core.progress import Log
from deepsight.obtain.passed_over import first_few

JOINTS = re.compile(r"\s*[|;,]\s*")  # between the classes of one image, where people write several


def log_doubtful_classes(classes: Sequence[str], log: Log) -> None:
    """Say where two classes may be one that is spelt in two ways, and where one may be several classes."""
    spelt: dict[str, list[str]] = {}
    for name in classes:
        spelt.setdefault(bare_name(name), []).append(f"'{name}'")
    if alike := [" and ".join(names) for names in spelt.values() if len(names) > 1]:
        log(
            f"Some classes differ only in capitals, signs between words or leading zeros: "
            f"{first_few(alike, most=3)}. They stay apart; if they are the same, give them one spelling."
        )
    single = {name for name in classes if not JOINTS.search(name)}
    joined = [f"'{name}'" for name in classes if name not in single and single & set(JOINTS.split(name))]
    if joined:
        log(
            f"Some labels seem to hold several classes: {first_few(joined, most=3)}. An image has one class "
            "here, so each combination is a class of its own."
        )


def bare_name(name: str) -> str:
    """A name without capitals and leading zeros, with a space for each sign between words."""
    plain = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", name).casefold()).strip()
    return re.sub(r"\b0+(?=\d)", "", plain)
