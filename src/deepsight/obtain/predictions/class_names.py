"""Names of classes as files of predictions spell them, matched to those of the data."""

import unicodedata
from collections.abc import Callable, Sequence

UNKNOWN = -1


def places_of_classes(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """For each name the position of its class; -1 where it is that of no class, or of several.

    Spaces around a name and the two spellings of an accent make no difference, and capitals only where two
    classes differ in them alone.
    """
    spellings: tuple[Callable[[str], str], ...] = (str, plain_name, caseless_name)
    known = [places_of_spellings(spelt, classes) for spelt in spellings]
    return [
        next((p for spelt, places in zip(spellings, known, strict=True)
              if (p := places.get(spelt(name), UNKNOWN)) >= 0), UNKNOWN)
        for name in names
    ]  # fmt: skip


def places_of_spellings(spelt: Callable[[str], str], classes: Sequence[str]) -> dict[str, int]:
    """Position by spelling; -1 for a spelling that several classes share."""
    places: dict[str, int] = {}
    for place, name in enumerate(classes):
        places[spelt(name)] = UNKNOWN if spelt(name) in places else place
    return places


def plain_name(name: str) -> str:
    """A name without spaces around it, with one spelling for each accent."""
    return unicodedata.normalize("NFC", name.strip())


def caseless_name(name: str) -> str:
    """A plain name without capitals."""
    return plain_name(name).casefold()
