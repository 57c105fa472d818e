"""What a person reads when a command fails, and the command's exit status."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Any

from rich.markup import escape
from typer.core import TyperGroup

from deepsight.cli.progress import say
from deepsight.core.errors import DeepSightError, is_panic
from deepsight.core.files.system_errors import refusal_of_the_system
from deepsight.core.stop import Stopped, final_status, stop_requested

INTERRUPTED = "deepsight: interrupted. Finished work is kept; run the same command again to continue."


class Exit(IntEnum):
    """Exit statuses that programs may rely on; a stop by a signal adds 128 to its number."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    GATE = 3


class Commands(TyperGroup):
    """The command group. Click itself says only "Aborted." on EOFError, also if a file ended early."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for command in self.commands.values():
            command.help = flowing_help(command.help or "")

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; EOFError becomes a sentence."""
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise DeepSightError(
                f"Expected more data, but a file or the input ended early ({error}). "
                "Check the files that you named; deepsight report RUN says which file of a run is damaged."
            ) from error


def flowing_help(text: str) -> str:
    """A help text whose paragraphs wrap at the terminal's width; brackets are text, not styles."""
    first, *rest = [part if part.startswith(" ") else part.replace("\n", " ") for part in text.split("\n\n")]
    # Typer takes the indentation off all but the first line after the summary; a line break makes that first
    # line an empty one, so that the examples keep theirs.
    return escape("\n\n\n".join([first, "\n\n".join(rest)]) if rest else first)


def run_guarded(command: Callable[[], None], *, debug: bool) -> int:
    """Run a command; a failure becomes a sentence, with --debug a traceback.

    Returns:
        The exit status.
    """
    try:
        return final_status(status_of_command(command))
    except Stopped as stop:
        say(INTERRUPTED)
        return stop.exit_status
    except BrokenPipeError:  # the reader closed the pipe, as `head` does
        leave_stdout()
        return final_status(Exit.FAILED)
    except BaseException as error:
        if debug or not (isinstance(error, Exception) or is_panic(error)):
            raise
        # A library that was stopped in the middle may report the stop as an error of its own.
        say(INTERRUPTED if stop_requested() else f"deepsight: {sentence(error)}")
        leave_stdout()
        return final_status(error.exit_status if isinstance(error, DeepSightError) else Exit.FAILED)


def status_of_command(command: Callable[[], None]) -> int:
    """Run a command, flush its output, and return its exit status."""
    status = int(Exit.DONE)
    try:
        command()
    except SystemExit as ended:
        status = status_of(ended)
    sys.stdout.flush()
    return status


def leave_stdout() -> None:
    """Flush stdout, or send it to /dev/null: Python flushes again at exit and would report a failure."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def lacks_memory(said: str) -> bool:
    """Whether a library's message says that memory ran out; libraries share no exception for it."""
    signs = ("not enough memory", "allocate memory", "insufficient memory")
    return any(sign in said.lower() for sign in signs)


def changed_run(arguments: Sequence[str]) -> str | None:
    """The first run folder among the arguments whose files differ from its manifests."""
    from deepsight.core.run import Run  # takes a second to import; needed only to explain an error

    names = (argument.removeprefix("run:") for argument in arguments)
    return next((name for name in names if Run(Path(name)).is_changed()), None)


def status_of(ended: SystemExit) -> int:
    """The exit status that a SystemExit carries: 0 for None, 1 for a message."""
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def sentence(error: BaseException) -> str:
    """What happened and what to do, in one sentence for any error."""
    if isinstance(error, DeepSightError):
        return str(error)
    if isinstance(error, MemoryError) or lacks_memory(str(error)):
        return (
            "Expected enough memory, but the machine has none left. Close other programs, or make the study "
            "smaller with --train-limit or a lower --resolution."
        )
    if isinstance(error, OSError):
        return refusal_of_the_system(error)
    what = f"{type(error).__name__}: {error}"
    if run := changed_run(sys.argv[1:]):
        return (
            f"Expected {run} to hold what this version of DeepSight writes, but one of its files cannot be "
            f"used ({what}). Another version or another program wrote it. Make a new run with another --out."
        )
    return f"this is a bug in DeepSight: {what}. Run again with --debug for the traceback."
