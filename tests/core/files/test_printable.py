"""What is printed draws characters and commands nothing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.core.files.printable import one_line, printable


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Größe 猫 \n\t", "Größe 猫 \n\t"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("a\rb", "a\\rb"),
    ],
)
def test_what_commands_a_terminal_is_spelt_out(given: str, shown: str) -> None:
    assert printable(given) == shown


@given(st.text(st.characters()))
def test_any_text_can_be_encoded_and_holds_no_control(text: str) -> None:
    shown = one_line(text)
    shown.encode("utf-8")
    assert not {"Cc", "Cs"} & {unicodedata.category(char) for char in shown}


def test_one_line_stays_one() -> None:
    assert one_line("a\nb\tc") == "a\\nb\\tc"
