"""The parts of a data set (train, val and test) by the names that people give them."""

import re
from collections.abc import Mapping, Sequence

# The usual names of the parts; "set", "images" and the like may follow, and numbers, as in train2017.
PART_NAMES: Mapping[str, str] = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "eval": "val", "evaluation": "val",
    "test": "test", "testing": "test", "tst": "test", "publictest": "val", "privatetest": "test",
}  # fmt: skip
PART_WORDS = re.compile(
    rf"({'|'.join(PART_NAMES)})(?:[ _-]?(?:set|data|dataset|images|imgs|split))?(?:[ _-]?\d+%?)?"
)
PREFIXED_PART = re.compile(rf".*[ _-]{PART_WORDS.pattern}")


def part_of_name(name: str, *, prefixed: bool = False) -> str | None:
    """The part that a name stands for: train, val or test; None for any other name.

    Args:
        name: of a folder or split, or a value in a column of splits, such as "Train" or "test_set".
        prefixed: whether another word may precede it, as in "seg_train".
    """
    text = name.strip().lower()
    found = PART_WORDS.fullmatch(text) or (PREFIXED_PART.fullmatch(text) if prefixed else None)
    return PART_NAMES[found[1]] if found else None


def first_of_each_part(names: Sequence[str]) -> dict[str, str]:
    """By part, the first of these names that stands for it."""
    found: dict[str, str] = {}
    for name in names:
        if part := part_of_name(name):
            found.setdefault(part, name)
    return found
