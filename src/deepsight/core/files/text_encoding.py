"""Text files as people have them, in UTF-8: from UTF-8, UTF-16, or the code page of a spreadsheet."""

import codecs
import re
from dataclasses import dataclass

from deepsight.core.files.code_pages import CODE_PAGES, WESTERN, code_page

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CHUNK_BYTES = 2**24
OTHER_LETTERS = re.compile(r"[^\x00-\x7f\ufffd]")  # letters beyond ASCII
WESTERN_NAME = "the code page of Windows in western Europe (1252)"
REMEDY = "if names look wrong, save it as UTF-8."


@dataclass(frozen=True)
class Utf8Text:
    """A text converted to UTF-8.

    Attributes:
        content: the text with line feeds. Bytes that cannot be decoded are escaped, since replacing them
            could make different names equal.
        note: what was assumed about its encoding, to follow the name of the file; empty where nothing was.
    """

    content: bytes
    note: str = ""


def utf8_text(content: bytes) -> Utf8Text:
    """A text in UTF-8, with a note unless it is in UTF-8 or UTF-16 already.

    Any other text is read in the one code page in which its words are built as words are, and in that of
    western Europe if no other fits (`code_page`).
    """
    if content.startswith(UTF16):
        return Utf8Text(with_line_feeds(content.decode("utf-16", "replace")))
    if is_unmarked_utf16(content):
        order = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
        return Utf8Text(with_line_feeds(content.decode(order, "replace")))
    if is_utf8(content):
        return Utf8Text(content if b"\n" in content else content.replace(b"\r", b"\n"))
    encoding, note = encoding_and_note(content)
    return Utf8Text(with_line_feeds(content.decode(encoding, "backslashreplace")), note)


def encoding_and_note(content: bytes) -> tuple[str, str]:
    """The encoding in which to read a text that is neither UTF-8 nor UTF-16, and the note that says so."""
    if is_mostly_utf8(content):
        return "utf-8", f"is in UTF-8 but for some bytes, which are escaped; {REMEDY}"
    found = code_page(content)
    if found is None:
        return (
            WESTERN,
            f"is not in UTF-8, and no code page fits it alone. It is read in {WESTERN_NAME}; {REMEDY}",
        )
    name = WESTERN_NAME if found == WESTERN else CODE_PAGES[found].name
    return found, f"is not in UTF-8. It is read in {name}; {REMEDY}"


def with_line_feeds(text: str) -> bytes:
    """A text in UTF-8; lines that end as on an old Mac end with line feeds instead."""
    return (text if "\n" in text else text.replace("\r", "\n")).encode("utf-8")


def is_unmarked_utf16(content: bytes) -> bool:
    """Whether a text seems to be UTF-16 without the mark that names its byte order."""
    return content[:64].count(b"\0") > 20


def is_mostly_utf8(content: bytes) -> bool:
    """Whether most letters beyond ASCII are valid UTF-8."""
    text = content.decode("utf-8", "replace")
    return len(OTHER_LETTERS.findall(text)) > text.count("\ufffd")


def is_utf8(content: bytes) -> bool:
    """Whether a text is valid UTF-8, checked some megabytes at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), CHUNK_BYTES):
            decoder.decode(content[start : start + CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
