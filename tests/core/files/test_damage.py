"""Whatever a damaged file makes a reader raise becomes one sentence; a stop and a refusal pass."""

import zipfile

import pytest

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.damage import damage_as
from deepsight.core.stop import Stopped


class PanicException(BaseException):
    """As the bindings of Rust name it."""


@pytest.mark.parametrize(
    "error",
    [
        OSError("x"), KeyError("x"), IndexError("x"), UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
        RuntimeError("x"), RecursionError("x"), zipfile.BadZipFile("x"), OverflowError("x"),
        PanicException("x"),
    ],
)  # fmt: skip
def test_damage_becomes_a_sentence(error: BaseException) -> None:
    with pytest.raises(UsageError, match=r"but .*x"), damage_as(lambda why: UsageError(f"but {why}")):
        raise error


def test_terabytes_are_said_as_such() -> None:
    with pytest.raises(UsageError, match="more memory than there is"), damage_as(UsageError):
        raise MemoryError


@pytest.mark.parametrize("error", [Stopped(15), DeepSightError("as it is"), KeyboardInterrupt()])
def test_what_is_no_damage_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, damage_as(UsageError):
        raise error
    assert raised.value is error
