"""Class names in files of predictions, matched to those of the data."""

import re
import unicodedata
from collections.abc import Callable, Sequence

UNKNOWN = -1
# How transformers calls classes without names.
NUMBERED = re.compile(r"(?:label|class)[ _-]?(\d+)", re.IGNORECASE)


def places_of_classes(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """The position of the class for each name; -1 for a name that matches no class, or several.

    Surrounding spaces and the Unicode form of accents do not matter, and capitals only if two classes differ
    in nothing else.
    """
    spellings: tuple[Callable[[str], str], ...] = (str, plain_name, caseless_name)
    known = [places_of_spellings(spelt, classes) for spelt in spellings]
    return [
        next((p for spelt, places in zip(spellings, known, strict=True)
              if (p := places.get(spelt(name), UNKNOWN)) >= 0), UNKNOWN)
        for name in names
    ]  # fmt: skip


def places_or_numbers(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """As `places_of_classes`; `LABEL_2` and `class_2` are the third class unless they name another."""
    numbers = [NUMBERED.fullmatch(name.strip()) for name in names]
    counted = [int(found[1]) if found and int(found[1]) < len(classes) else UNKNOWN for found in numbers]
    places = places_of_classes(names, classes)
    return [place if place >= 0 else number for place, number in zip(places, counted, strict=True)]


def places_of_spellings(spelt: Callable[[str], str], classes: Sequence[str]) -> dict[str, int]:
    """The position of each class by its spelling; -1 for a spelling that several classes share."""
    places: dict[str, int] = {}
    for place, name in enumerate(classes):
        places[spelt(name)] = UNKNOWN if spelt(name) in places else place
    return places


def plain_name(name: str) -> str:
    """A name without surrounding spaces, in Unicode's form NFC."""
    return unicodedata.normalize("NFC", name.strip())


def caseless_name(name: str) -> str:
    """A plain name with its case folded."""
    return plain_name(name).casefold()
