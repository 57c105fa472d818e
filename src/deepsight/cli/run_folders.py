"""The folder of a new run."""

from pathlib import Path

from deepsight.core.errors import UsageError

FIRST = Path("runs/first")


def new_run_folder(out: Path | None, earlier: Path | None) -> Path:
    """The run folder as asked; by default `runs/first`, or one beside the run to compare with.

    Raises:
        UsageError: it is the folder of the run to compare with.
    """
    if earlier is None:
        return out or FIRST
    if out is not None and out.resolve() == earlier.resolve():
        raise UsageError(
            f"Expected another folder than that of the run to compare with, received --out {out}. Choose "
            f"another, such as --out {cleaned_folder(earlier)}."
        )
    return out or cleaned_folder(earlier)


def cleaned_folder(earlier: Path) -> Path:
    """The folder of a run on cleaned data: RUN-cleaned beside the earlier run."""
    named = earlier if earlier.name not in ("", "..") else earlier.resolve()  # "." has no name
    return named.with_name(f"{named.name}-cleaned")
