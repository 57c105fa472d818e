"""What a person reads when a command fails, and the status with which it ends."""

import errno
import sys
from collections.abc import Callable
from enum import IntEnum

from deepsight.cli.progress import say
from deepsight.core.errors import DeepSightError
from deepsight.core.stop import Stopped, final_status


class Exit(IntEnum):
    """Exit statuses that programs may rely on; a stop by a signal adds 128 to its number."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    GATE = 3


def run_guarded(command: Callable[[], None], *, debug: bool) -> int:
    """Run a command; a failure becomes a sentence, with --debug a traceback.

    Returns:
        The exit status.
    """
    try:
        command()
        sys.stdout.flush()
    except SystemExit as ended:
        return final_status(status_of(ended))
    except Stopped as stop:
        say("deepsight: interrupted. What is done is kept; the same command goes on from there.")
        return stop.exit_status
    except BrokenPipeError:  # whoever read the output has enough, as `head` does
        return final_status(Exit.FAILED)
    except Exception as error:
        if debug:
            raise
        say(f"deepsight: {sentence(error)}")
        return final_status(error.exit_status if isinstance(error, DeepSightError) else Exit.FAILED)
    return final_status(Exit.DONE)


def status_of(ended: SystemExit) -> int:
    """The status of a command that ended by itself."""
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def sentence(error: Exception) -> str:
    """What happened and what to do, for any error."""
    if isinstance(error, DeepSightError):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            "Expected enough memory, but the machine has none left. Close other programs, or make the study "
            "smaller with --train-limit or a lower --resolution."
        )
    if isinstance(error, OSError):
        return refusal_of_the_system(error)
    what = f"{type(error).__name__}: {error}"
    return f"this is a defect: {what}. Run again with --debug for the traceback."


def refusal_of_the_system(error: OSError) -> str:
    """The sentence for a file or a limit that the operating system refused."""
    place = f" {error.filename}" if error.filename else " the output"
    advice = {
        errno.ENOSPC: "Free some space.",
        errno.EMFILE: "Allow more open files: ulimit -n 4096.",
        errno.ENFILE: "Close other programs.",
        errno.ENAMETOOLONG: "Choose a shorter name.",
        errno.EACCES: "Change its permissions, or choose another place.",
        errno.EROFS: "Choose a place that can be written to.",
    }.get(error.errno or 0, "Check that it exists and can be read and written.")
    return f"Expected to use{place}, but the system said: {error.strerror or error}. {advice}"
