"""What a person sees while a command runs: lines on stderr, and on a terminal the time left."""

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
    """Whether this is the only process, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def accept_any_text() -> None:
    """Print characters that the terminal's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(text: str) -> None:
    """Print a result on stdout, without terminal control characters."""
    print(printable(text))


def say(line: str) -> None:
    """Print a line on stderr, without terminal control characters; a closed or full stderr is ignored."""
    with suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)


@contextmanager
def progress(out: Path | None = None, *, minutes: float | None = None) -> Iterator[Log]:
    """A log that shows a command's events while it works.

    On a terminal the bottom line names the stage, the time elapsed and the time left. Elsewhere, such as in
    a log file, each event is a line, and a stage's line carries the time left.

    Args:
        out: the run folder, if the command is a study.
        minutes: time allowed for the command; None if unknown.
    """
    forecast = Forecast(out, minutes)
    if not sys.stderr.isatty() or not first_process():
        yield lambda event: say(line_of(event, forecast))
        return
    from deepsight.cli.live_line import live_line  # rich is slow to import

    with live_line(forecast) as log:
        yield log


def line_of(event: Event | str, forecast: Forecast) -> str:
    """The line for an event; the line of a stage that begins carries the time left."""
    if not isinstance(event, StageStarted):
        return str(event)
    forecast.stage_started(event.name)
    words = forecast.words()
    return f"{event} {words}" if words else str(event)
