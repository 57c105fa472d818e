"""The advice fits the cause: nobody is told to free space where space is not what lacks."""

import errno
import os

import pytest

from deepsight.core.files.system_errors import cannot_write, refusal_of_the_system


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space"), (errno.EACCES, "permissions"), (errno.EMFILE, "ulimit -n"),
        (errno.ENAMETOOLONG, "shorter name"), (errno.EISDIR, "folder is in the way"), (errno.EIO, "check it"),
        (errno.EINVAL, "Check that it exists"),
    ],
)  # fmt: skip
def test_advice(number: int, advice: str) -> None:
    error = OSError(number, os.strerror(number), "place")
    for said in (str(cannot_write("place", error)), refusal_of_the_system(error)):
        assert advice in said
        assert os.strerror(number) in said
        assert ("space" in said) == (number == errno.ENOSPC)
