"""Exceptions whose messages are written for the user."""


class DeepSightError(Exception):
    """An error whose message tells the user what was expected, what was received and what to do.

    The command line prints the message alone and exits with `exit_status`. Any other exception is a bug in
    DeepSight and is reported as one.
    """

    exit_status = 1


class TransientError(DeepSightError):
    """A temporary failure of the environment, such as a full disk. It is never cached as a result."""


class UsageError(DeepSightError):
    """A request that cannot be carried out as written, such as an unknown name or a value out of range."""

    exit_status = 2


def is_panic(error: BaseException) -> bool:
    """Whether a library written in Rust panicked, as Polars does on some damaged files.

    Such an error derives from `BaseException`, so `except Exception` misses it.
    """
    return type(error).__name__ == "PanicException"


def first_line(error: BaseException, *, most: int = 300) -> str:
    """The first line of an error's message, at most `most` characters; its type where it has no message."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:most]


def near_names(name: str, known: list[str]) -> str:
    """The end of a sentence: "did you mean" with the closest names, or the first of the known names."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    return "known are: " + ", ".join(sorted(known)[:12]) + ("…" if len(known) > 12 else ".")
