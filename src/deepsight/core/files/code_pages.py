"""The code page of Windows in which a table was saved, judged by how words are built in it.

Detectors that count letters need more text than the names of ten classes. The build of words needs little:
read in the code page of another alphabet, words have capitals, final letters, accents or combining marks
where no word has them, and pairs of bytes give rare characters. Figures:
docs/decisions/0115-code-pages-by-the-build-of-words.md.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

WESTERN = "cp1252"
READ = 2**24  # bytes from the beginning of a file
LOOKED_AT = 2**16  # bytes of different cells; more do not change what is detected
WELL_BUILT = 0.9  # share of the words, or characters, that must be as the language has them
FEWEST_LETTERS = 8  # of different words together
FEWEST_CHARACTERS = 10  # different characters of two bytes; fewer may by chance fit several code pages
CELL_ENDS = re.compile(rb"[,;\t\r\n\"/]")  # none of these is part of a character of two bytes
WORDS = re.compile(r"[A-Za-z\x80-\uffff]+")
WESTERN_LETTERS = frozenset(map(chr, range(0xC0, 0x100))) - {"×", "÷"} | set("ŠšŽžŒœŸ’")
CENTRAL_LETTERS = frozenset("ąćęłńóśźżáčďéěíňřšťúůýžäöüőűôľĺŕâăîşţđß")
CYRILLIC_RARE = frozenset("йюхэщфц")
CYRILLIC_VOWELS, GREEK_VOWELS = frozenset("аеёиоуыэюяіїєъ"), frozenset("αεηιουωάέήίόύώϊϋΐΰ")
GREEK_ACCENTS, ARABIC_COMMON = frozenset("άέήίόύώΐΰ"), frozenset("لمنهوي")
# Syllables: a vowel that is written before its consonant, the consonant, up to two marks, a vowel after it.
THAI_WORD = re.compile(
    "(?:[\u0e40-\u0e44]?[\u0e01-\u0e2e][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]{0,2}[\u0e30\u0e32\u0e33]?)+"
)
THAI_RARE = frozenset("ฃฅฆฌฎฏฐฑฒฬฮ")
HEBREW_FINALS, HEBREW_OTHERS = frozenset("ךםןףץ"), frozenset("כמנפצ")


def code_page(content: bytes) -> str | None:
    """The code page of a text that is not UTF-8, by its name in Python; None where no single one fits.

    It is Windows-1252 where most words are built like those of western Europe.
    """
    cells = other_cells(content)
    if looks_western(cells):
        return WESTERN
    fitting = [name for name, page in CODE_PAGES.items() if page.fits(cells)]
    return fitting[0] if len(fitting) == 1 else None


def other_cells(content: bytes) -> bytes:
    """The different cells and parts of paths with bytes beyond ASCII, one per line, up to `LOOKED_AT`."""
    whole = content if len(content) <= READ else content[:READ].rpartition(b"\n")[0]
    cells = dict.fromkeys(cell for cell in CELL_ENDS.split(whole) if not cell.isascii())
    kept: list[bytes] = []
    size = 0
    for cell in cells:
        size += len(cell) + 1
        if size > LOOKED_AT and kept:
            break
        kept.append(cell)
    return b"\n".join(kept)


def looks_western(cells: bytes) -> bool:
    """Whether most words mix ASCII with accented letters, as in "Käse"."""
    words = other_words(cells.decode(WESTERN, "replace"))
    return not words or 2 * sum(map(is_western, words)) > len(words)


def is_western(word: str) -> bool:
    """Whether a word beyond ASCII holds no signs, and at most two accented letters in three, or one alone."""
    accented = [char for char in word if not char.isascii()]
    return {*accented} <= WESTERN_LETTERS and (len(word) == 1 or 3 * len(accented) <= 2 * len(word))


def other_words(text: str) -> list[str]:
    """The different words with characters beyond ASCII."""
    return [word for word in dict.fromkeys(WORDS.findall(text)) if not word.isascii()]


class Alphabet(NamedTuple):
    """A code page with one byte per letter.

    Attributes:
        encoding: its name in Python.
        name: what people call it.
        is_built: whether a word is built as its language builds words.
        is_written: whether different words that are built so also read like its language together.
    """

    encoding: str
    name: str
    is_built: Callable[[str], bool]
    is_written: Callable[[Sequence[str]], bool]

    def fits(self, cells: bytes) -> bool:
        """Whether nearly all words are built as in this alphabet."""
        words = decoded_words(cells, self.encoding)
        built = [word for word in words if self.is_built(word)]
        enough = sum(map(len, built)) >= FEWEST_LETTERS and len(built) >= WELL_BUILT * len(words)
        return enough and self.is_written(built)


class Characters(NamedTuple):
    """A code page with two bytes per character, the frequent ones in a block of their own.

    Attributes:
        encoding: its name in Python, which also has rare characters.
        strict: that of the standard without them.
        name: what people call it.
        is_frequent: whether a character is among the frequent ones, by its two bytes.
        is_written: whether different characters together tell it from code pages that share bytes with it.
        fewest: different characters that are needed.
    """

    encoding: str
    strict: str
    name: str
    is_frequent: Callable[[bytes], bool]
    is_written: Callable[[Sequence[bytes]], bool]
    fewest: int = FEWEST_CHARACTERS

    def fits(self, cells: bytes) -> bool:
        """Whether nearly all characters beyond ASCII are frequent ones of this code page."""
        text = "".join(decoded_words(cells, self.strict))
        pairs = [char.encode(self.strict) for char in dict.fromkeys(text) if not char.isascii()]
        frequent = [pair for pair in pairs if len(pair) == 2 and self.is_frequent(pair)]
        enough = len(frequent) >= max(self.fewest, WELL_BUILT * len(pairs))
        return enough and self.is_written(frequent)


def decoded_words(cells: bytes, encoding: str) -> list[str]:
    """The different words beyond ASCII in this encoding; none where a byte does not fit it."""
    try:
        return other_words(cells.decode(encoding))
    except UnicodeDecodeError:
        return []


def is_cased(word: str) -> bool:
    """Whether a word is in lower case, in capitals, or begins with its only capital."""
    return word.islower() or word.isupper() or (word[:1].isupper() and word[1:].islower())


def share_of(letters: frozenset[str], words: Iterable[str]) -> float:
    """The share of these letters in the words, in any case."""
    text = "".join(words).lower()
    return sum(char in letters for char in text) / max(len(text), 1)


def is_central(word: str) -> bool:
    """Whether a word is built like those of central Europe, with one letter of ASCII at least."""
    accented = {char for char in word.lower() if not char.isascii()}
    return accented <= CENTRAL_LETTERS and is_cased(word) and any(map(str.isascii, word))


def is_cyrillic(word: str) -> bool:
    """Whether a word is Cyrillic, with capitals where they belong."""
    return all("\u0400" <= char <= "\u04ff" for char in word) and is_cased(word)


def reads_cyrillic(words: Sequence[str]) -> bool:
    """Whether about as many letters are vowels as in Slavic languages, and few are rare ones."""
    return 0.33 < share_of(CYRILLIC_VOWELS, words) < 0.6 and share_of(CYRILLIC_RARE, words) < 0.15


def is_greek(word: str) -> bool:
    """Whether a word is Greek: a final sigma at the end and only there, and one accent at most."""
    plain = word.lower()
    sigmas = "ς" not in plain[:-1] and (word.isupper() or not plain.endswith("σ"))
    accents = sum(char in GREEK_ACCENTS for char in plain)
    return all("\u0386" <= char <= "\u03ce" for char in word) and is_cased(word) and sigmas and accents <= 1


def reads_greek(words: Sequence[str]) -> bool:
    """Whether enough letters are vowels, and most words of two vowels bear an accent.

    Capitals bear none, so that words in capitals alone might be Russian in KOI8.
    """
    lower = [word for word in words if not word.isupper()]
    long = [word for word in lower if sum(char in GREEK_VOWELS for char in word.lower()) > 1]
    accented = sum(any(char in GREEK_ACCENTS for char in word.lower()) for word in long)
    return bool(long) and share_of(GREEK_VOWELS, words) > 0.42 and accented >= 0.8 * len(long)


def is_hebrew(word: str) -> bool:
    """Whether a word is Hebrew: final letters at the end and only there."""
    letters = all("\u05d0" <= char <= "\u05ea" for char in word)
    return letters and not {*word[:-1]} & HEBREW_FINALS and (len(word) == 1 or word[-1] not in HEBREW_OTHERS)


def is_arabic(word: str) -> bool:
    """Whether a word is Arabic: letters that only end words are at its end."""
    return all("\u0621" <= char <= "\u064a" for char in word) and not {*word[:-1]} & {"ة", "ى"}


def is_thai(word: str) -> bool:
    """Whether a word is Thai: vowels and tones stand where a consonant bears them."""
    return THAI_WORD.fullmatch(word) is not None


def reads_thai(words: Sequence[str]) -> bool:
    """Whether there are enough letters, few of them rare, and not all of the second half of the alphabet."""
    first = share_of(frozenset(map(chr, range(0xE01, 0xE20))), words)
    return sum(map(len, words)) >= 2 * FEWEST_LETTERS and share_of(THAI_RARE, words) < 0.06 and first > 0.2


def share_of_leads(low: int, high: int, pairs: Sequence[bytes]) -> float:
    """The share of pairs whose first byte is in this range, ends included."""
    return sum(low <= pair[0] <= high for pair in pairs) / max(len(pairs), 1)


def reads_simplified(pairs: Sequence[bytes]) -> bool:
    """Whether first bytes are as in Chinese: Korean has none from C9 on, Cyrillic capitals none below C0."""
    return min(share_of_leads(0xC9, 0xD7, pairs), share_of_leads(0xB0, 0xBF, pairs)) > 0.1


def is_kana_or_level_1(pair: bytes) -> bool:
    """Whether a character of Shift-JIS is kana, a sign, or a kanji of the first level."""
    return 0x81 <= pair[0] <= 0x83 or 0x88 <= pair[0] <= 0x98


def is_kana_or_level_1_of_euc(pair: bytes) -> bool:
    """The same of EUC-JP."""
    return pair[0] in (0xA1, 0xA4, 0xA5) or 0xB0 <= pair[0] <= 0xCF


PAGES = (
    Alphabet("cp1250", "the code page of Windows in central Europe (1250)", is_central, lambda _: True),
    Alphabet("cp1251", "the code page of Windows for Cyrillic (1251)", is_cyrillic, reads_cyrillic),
    Alphabet("koi8_r", "KOI8-R", is_cyrillic,
             lambda words: reads_cyrillic(words) and not all(map(str.isupper, words))),
    Alphabet("cp1253", "the code page of Windows for Greek (1253)", is_greek, reads_greek),
    Alphabet("cp1255", "the code page of Windows for Hebrew (1255)", is_hebrew, lambda _: True),
    Alphabet("cp1256", "the code page of Windows for Arabic (1256)", is_arabic,
             lambda words: share_of(ARABIC_COMMON, words) > 0.05),
    Alphabet("cp874", "the code page of Windows for Thai (874)", is_thai, reads_thai),
    Characters("cp932", "shift_jis", "the code page of Windows for Japanese (932, Shift-JIS)",
               is_kana_or_level_1, lambda _: True, fewest=4),
    Characters("euc_jp", "euc_jp", "EUC-JP", is_kana_or_level_1_of_euc,
               lambda pairs: share_of_leads(0xA4, 0xA5, pairs) > 0.05),
    Characters("gb18030", "gb2312", "the code page of Windows for simplified Chinese (936, GBK)",
               lambda pair: 0xB0 <= pair[0] <= 0xD7, reads_simplified),
    # Only here is the second byte often below A1.
    Characters("cp950", "big5", "the code page of Windows for traditional Chinese (950, Big5)",
               lambda pair: 0xA4 <= pair[0] <= 0xC6,
               lambda pairs: sum(pair[1] < 0xA1 for pair in pairs) > 0.1 * len(pairs)),
    Characters("cp949", "euc_kr", "the code page of Windows for Korean (949)",
               lambda pair: 0xB0 <= pair[0] <= 0xC8,
               lambda pairs: share_of_leads(0xB0, 0xBF, pairs) > 0.1, fewest=16),
)  # fmt: skip
CODE_PAGES: Mapping[str, Alphabet | Characters] = {page.encoding: page for page in PAGES}
