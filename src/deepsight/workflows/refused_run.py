"""A run folder that was made for a command which was then refused is not left behind."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepsight.core.errors import DeepSightError, TransientError


@contextmanager
def removed_if_refused(out: Path, *, until: str) -> Iterator[None]:
    """Remove a run folder that is made in here if a refusal comes before its file `until` is written.

    The folder of a mistyped option would refuse the command without the mistake, as another study. Decoded
    images stay in the cache; what a fault of the surroundings stopped stays as it is.
    """
    new = not out.exists()
    try:
        yield
    except TransientError:
        raise
    except DeepSightError:
        if new and not (out / until).exists():
            shutil.rmtree(out, ignore_errors=True)
        raise
