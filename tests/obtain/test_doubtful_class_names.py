"""What is said of names of classes that may be one, or several."""

import pytest

from deepsight.obtain.doubtful_class_names import log_doubtful_classes


def said(*classes: str) -> str:
    lines: list[str] = []
    log_doubtful_classes(classes, lines.append)
    return " ".join(lines)


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "Cat"), ("sea lion", "sea_lion"), ("1", "01"), ("a-b", "A b"), ("x", " x ")]
)
def test_two_spellings_of_one_name(one, other):
    assert f"'{one}' and '{other}'" in said(one, other, "dog")


def test_classes_joined_in_one_label():
    assert "'cat|dog', 'dog, owl'" in said("cat", "dog", "cat|dog", "dog, owl")


def test_other_names_need_no_word():
    assert said("cat", "dog", "dog-wild", "10", "100", "Paris, Texas", "a|b") == ""


def test_marks_for_a_missing_label():
    assert "unknown label: '?', 'NULL'" in said("cat", "?", "NULL")
