"""What a person sees while a command runs: lines on stderr, and on a terminal a clock with the time left."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deepsight.cli.forecast import Forecast
from deepsight.core.files.printable import printable
from deepsight.core.progress import Event, Log, StageStarted


def first_process() -> bool:
    """Whether this process speaks for all that torchrun started, or is the only one."""
    return os.environ.get("RANK", "0") == "0"


def accept_any_text() -> None:
    """Spell out what the encoding of the terminal lacks, instead of failing on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(text: str) -> None:
    """A result on stdout, with nothing in it that commands the terminal."""
    print(printable(text))


def say(line: str) -> None:
    """A line on stderr, with nothing in it that commands the terminal; unheard where stderr is full."""
    with suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)


@contextmanager
def progress(out: Path | None = None, *, minutes: float | None = None) -> Iterator[Log]:
    """What shows a command's events while it works.

    On a terminal the bottom line names the stage, the time gone and the time left. Elsewhere, such as in a
    log file, each event is a line, and a stage's line carries the time left.

    Args:
        out: the run folder, if the command is a study.
        minutes: that the command may take.
    """
    forecast = Forecast(out, minutes)
    if not sys.stderr.isatty() or not first_process():
        yield lambda event: say(line_of(event, forecast))
        return
    from deepsight.cli.live_line import live_line  # rich takes a while to load

    with live_line(forecast) as log:
        yield log


def line_of(event: Event | str, forecast: Forecast) -> str:
    """The line for an event, with the time left where a stage begins."""
    if not isinstance(event, StageStarted):
        return str(event)
    forecast.stage_started(event.name)
    words = forecast.words()
    return f"{event} {words}" if words else str(event)
