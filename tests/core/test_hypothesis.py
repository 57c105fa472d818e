"""Hypotheses are valid from birth and survive a file."""

import json

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.hypothesis import Group, Hypothesis, class_groups, from_json, to_json

GAP = Hypothesis("gap", "a over b.", "recall_gap", Group("left", ("a", "b")), Group("right", ("c",)))
PAIR = Hypothesis("pair", "a as c.", "confused_pair", Group("a", ("a",)), Group("c", ("c",)), "proposed")


def test_json_gives_the_same_hypotheses_again() -> None:
    text = json.dumps(to_json([GAP, PAIR]))
    assert from_json(json.loads(text)) == (GAP, PAIR)


@pytest.mark.parametrize("fault", [{}, {"hypotheses": [{"name": "x"}]}, {"hypotheses": [{"first": 3}]}])
def test_a_damaged_file_is_refused(fault: dict[str, object]) -> None:
    with pytest.raises(DeepSightError, match="Expected hypotheses"):
        from_json(fault)


def test_groups_come_from_the_first_hypothesis_about_recall() -> None:
    assert class_groups([PAIR, GAP]) == {"a": "left", "b": "left", "c": "right"}
    assert class_groups([PAIR]) == {}


@pytest.mark.parametrize(
    ("test", "first", "second"),
    [
        ("recall_gap", ("a",), ("a", "b")),
        ("recall_gap", (), ("b",)),
        ("confused_pair", ("a", "b"), ("c",)),
        ("guess", ("a",), ("b",)),
    ],
)
def test_impossible_hypotheses_are_refused(
    test: str, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    with pytest.raises(DeepSightError, match="Expected"):
        Hypothesis("x", "x.", test, Group("1", first), Group("2", second))  # type: ignore[arg-type]


def test_unknown_classes_are_named() -> None:
    with pytest.raises(DeepSightError, match="'c'"):
        GAP.require_classes(["a", "b"])
    GAP.require_classes(["a", "b", "c", "d"])
