"""What damaged and hostile files make readers raise, so that it can become a sentence."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import polars as pl
import yaml

from deepsight.core.errors import is_panic

# RuntimeError: an encrypted archive, a nesting that is too deep, tensors that do not fit. MemoryError: an
# array whose header promises terabytes.
DAMAGE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError, ArithmeticError,
    MemoryError, AssertionError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
    yaml.YAMLError, pl.exceptions.PolarsError,
)  # fmt: skip


@contextmanager
def damage_as(sentence: Callable[[str], Exception]) -> Iterator[None]:
    """Read a file that somebody else may have written; what its damage raises becomes another error.

    Args:
        sentence: makes the error from a few words on what is wrong.
    """
    try:
        yield
    except DAMAGE as error:
        raise sentence(words_of(error)) from error
    except BaseException as error:
        if not is_panic(error):
            raise
        raise sentence(words_of(error)) from error


def words_of(error: BaseException) -> str:
    """What an error says, on one line of at most 200 signs."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(said).split())[:200].rstrip(".") or type(error).__name__
