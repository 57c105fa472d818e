"""Text from files and strangers, made harmless for a terminal."""

import unicodedata

KEPT = {"\n", "\t"}
# Format characters (category Cf) that change the order or the look of what stands around them.
DIRECTIONS = {
    *map(chr, (0x061C, 0x200E, 0x200F)),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}


def printable(text: str) -> str:
    """The text with control characters, changes of direction and bytes that are not text spelt out.

    A name may hold escape sequences that clear the screen, set its title or hide its own ending (U+202E).
    Line breaks and tabs stay. Everything else of the categories Cc and Cs, and the directional marks, are
    spelt out, such as `\\x1b` or `\\u202e`.

    Example:
        >>> from deepsight.core.files.printable import printable
        >>> printable("cat\\x1b[2J\\u202egpj.exe")
        'cat\\\\x1b[2J\\\\u202egpj.exe'
    """
    return "".join(char if harmless(char) else spelt_out(char) for char in text)


def one_line(text: str) -> str:
    """The same, and on one line."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def harmless(char: str) -> bool:
    """Whether a terminal only draws it."""
    return char in KEPT or not (unicodedata.category(char) in ("Cc", "Cs") or char in DIRECTIONS)


def spelt_out(char: str) -> str:
    """The character as Python writes it in a string."""
    return (
        char.encode("unicode_escape").decode("ascii")
        if ord(char) < 0xD800 or ord(char) > 0xDFFF
        else (f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else f"\\u{ord(char):04x}")
    )
