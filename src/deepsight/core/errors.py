"""The one exception that a user is meant to read."""


class DeepSightError(Exception):
    """What was expected, what was received and what to do, as sentences for the user.

    The command line prints the text alone and exits with `exit_status`; any other exception is
    a defect of DeepSight and is reported as such.
    """

    exit_status = 1


class TransientError(DeepSightError):
    """A fault of the surroundings, such as a full disk. It may soon be gone, so it is never stored."""


class UsageError(DeepSightError):
    """A request that cannot be meant as written: an unknown name, a value out of range."""

    exit_status = 2


def is_panic(error: BaseException) -> bool:
    """Whether an error is one of a library in Rust, as Polars has for some damage; it is no `Exception`."""
    return type(error).__name__ == "PanicException"


def near_names(name: str, known: list[str]) -> str:
    """A sentence part that offers what the user may have meant, or lists what there is."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    return "known are: " + ", ".join(sorted(known)[:12]) + ("…" if len(known) > 12 else "")
