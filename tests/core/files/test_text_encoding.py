"""Texts of spreadsheets become UTF-8, and what was assumed about them is said."""

import codecs

import pytest

from deepsight.core.files.text_encoding import utf8_text

TEXT = "path,label\nKäse.png,Öl\n猫.png,кошка\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        ("a,b\n" * 8).encode("utf-16-le"),
    ],
)
def test_unicode_is_read_without_a_note(content: bytes) -> None:
    found = utf8_text(content)
    assert found.note == ""
    assert found.content.decode("utf-8-sig") in (TEXT, "a,b\n" * 8)


@pytest.mark.parametrize(
    ("encoding", "names", "said"),
    [
        (
            "cp1252",
            "Käse Öl süß",
            "is not in UTF-8. It is read in the code page of Windows in western Europe",
        ),
        (
            "cp1251",
            "кошка собака лошадь",
            "Windows for Cyrillic (1251); if names look wrong, save it as UTF-8",
        ),
        ("cp932", "ネコ 犬 トラック", "Windows for Japanese (932, Shift-JIS); if names look wrong"),
    ],
)
def test_a_code_page_is_named(encoding: str, names: str, said: str) -> None:
    found = utf8_text("\n".join(names.split()).encode(encoding))
    assert found.content.decode().split() == names.split()
    assert said in found.note


def test_what_fits_no_code_page_alone_is_read_as_western_and_this_is_said() -> None:
    found = utf8_text("猫\n狗\n".encode("gb18030"))
    assert found.content.decode() == "Ã¨\n¹·\n"
    assert (
        "no code page fits it alone. It is read in the code page of Windows in western Europe" in found.note
    )


def test_broken_letters_in_utf8_are_escaped_and_keep_names_apart() -> None:
    found = utf8_text("süß\nKäse\n".encode() + b"s\xfc\n")
    assert found.content.decode() == "süß\nKäse\ns\\xfc\n"
    assert "in UTF-8 but for some bytes" in found.note


def test_lines_of_an_old_mac_end_with_line_feeds() -> None:
    assert utf8_text(b"a,b\r1,2\r").content == b"a,b\n1,2\n"
    assert utf8_text("ä,b\r1,2\r".encode("cp1252")).content.decode() == "ä,b\n1,2\n"
    assert utf8_text(b"a\r\nb").content == b"a\r\nb"
