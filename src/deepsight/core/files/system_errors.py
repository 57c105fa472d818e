"""Messages for errors of the operating system, with advice that fits the cause."""

import errno
from pathlib import Path

from deepsight.core.errors import TransientError

ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free some space, or choose a folder on another disk."),
    errno.EFBIG: "Allow larger files (ulimit -f), or choose a folder on another disk.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EMFILE: "Allow more open files: ulimit -n 4096.",
    errno.ENFILE: "Close other programs.",
    errno.ENOMEM: "Close other programs, or make the study smaller.",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Change its permissions, or choose another place."),
    errno.EROFS: "Choose a place that can be written to.",
    errno.ENOENT: "Check that it exists.",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "A file is in the way: choose another place."),
    errno.EISDIR: "A folder is in the way: choose another name.",
    errno.ELOOP: "A link leads back to itself: choose another place.",
    **dict.fromkeys((errno.EIO, errno.ESTALE), "The disk does not respond as it should: check it."),
    errno.EPIPE: "The program that was reading it has ended.",
}  # fmt: skip


def advice_for(error: OSError) -> str:
    """What the user can do about an error."""
    return ADVICE.get(error.errno or 0, "Check that it exists and can be read and written.")


def cannot_write(target: object, error: OSError) -> TransientError:
    """The error for a failed write; it is temporary, since the cause may be removed."""
    advice = advice_for(error)
    if error.errno == errno.EACCES and isinstance(target, Path) and target.is_file():
        advice = f"Close the program that has it open, if any. {advice}"
    return TransientError(
        f"Expected to write {target}, but the system said: {error.strerror or error}. {advice} "
        "Nothing half-written was left."
    )


def refusal_of_the_system(error: OSError) -> str:
    """The message for an error of the operating system that nothing else has handled."""
    place = f" {error.filename!s}" if error.filename else " the output"
    return f"Expected to use{place}, but the system said: {error.strerror or error}. {advice_for(error)}"
