"""Untrusted text, made safe to print on a terminal."""

import unicodedata

KEPT = {"\n", "\t"}
# Format characters (category Cf) that change the order or look of the text around them.
DIRECTIONS = {
    *map(chr, (0x061C, 0x200E, 0x200F)),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}


def printable(text: str) -> str:
    """The text with control characters, directional marks and undecodable bytes escaped.

    A name may hold escape sequences that clear the screen, set its title or hide its own suffix (U+202E).
    Line breaks and tabs are kept. All other characters of the categories Cc and Cs, and directional marks,
    are escaped as `\\x1b` or `\\u202e`.

    Example:
        >>> from deepsight.core.files.printable import printable
        >>> printable("cat\\x1b[2J\\u202egpj.exe")
        'cat\\\\x1b[2J\\\\u202egpj.exe'
    """
    return "".join(char if is_harmless(char) else escape_sequence(char) for char in text)


def one_line(text: str) -> str:
    """The text made printable, with line breaks and tabs escaped too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def is_harmless(char: str) -> bool:
    """Whether a terminal only draws this character."""
    return char in KEPT or not (unicodedata.category(char) in ("Cc", "Cs") or char in DIRECTIONS)


def escape_sequence(char: str) -> str:
    """The character as an escape sequence of Python."""
    return (
        char.encode("unicode_escape").decode("ascii")
        if ord(char) < 0xD800 or ord(char) > 0xDFFF
        else (f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else f"\\u{ord(char):04x}")
    )
