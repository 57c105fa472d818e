"""Errors that damaged or hostile files make readers raise, turned into messages for the user."""

import csv
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import polars as pl
import yaml

from deepsight.core.errors import is_panic

# RuntimeError: an encrypted archive, nesting that is too deep, tensors of the wrong shape. MemoryError: an
# array whose header declares terabytes.
DAMAGE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError, ArithmeticError,
    MemoryError, AssertionError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
    yaml.YAMLError, pl.exceptions.PolarsError, csv.Error,
)  # fmt: skip


@contextmanager
def damage_as(sentence: Callable[[str], Exception]) -> Iterator[None]:
    """Inside this block, errors from reading an untrusted file are replaced.

    Args:
        sentence: makes the new error from a few words on what is wrong.
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
    """An error's message on one line of at most 200 characters."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(message).split())[:200].rstrip(".") or type(error).__name__
