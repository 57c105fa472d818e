"""Commands that are stopped half way, or run out of disk, and are then given again."""

import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faulty.runner import NONE, Ended, Fault, Runner
from faulty.study import content_of, difference

SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"))
GIVEN_AGAIN = 3  # times at most; a command that was killed needs one


@dataclass(frozen=True)
class Undisturbed:
    """A command without faults.

    Attributes:
        name: of the command.
        start: a folder to copy and work in.
        command: its arguments.
        made: the file or folder that it makes, below the working folder.
        content: what is in it afterwards.
        stdout: what the command said.
        points: the names of the commit points, in order.
        seconds: that it took.
    """

    name: str
    start: Path
    command: tuple[str, ...]
    made: str
    content: dict[str, Any]
    stdout: str
    points: tuple[str, ...]
    seconds: float


def undisturbed(
    runner: Runner, name: str, start: Path, command: Sequence[str], work: Path, *, made: str = "run"
) -> Undisturbed:
    """Carry a command out in a copy of a folder, once, and keep what it must come to."""
    folder = fresh(start, work)
    points = folder / ".points"
    ended = runner.run(folder, *command, fault=Fault(points=str(points)))
    if ended.status != 0:
        raise RuntimeError(f"{command} failed without a fault: {ended.stderr}")
    named = tuple(points.read_text().splitlines()) if points.exists() else ()
    return Undisturbed(
        name, start, tuple(command), made, result_of(folder / made), ended.stdout, named, ended.seconds
    )


def fresh(start: Path, work: Path) -> Path:
    """A copy of a folder in place of what was there."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(start, work, symlinks=True)
    return work


def result_of(made: Path) -> dict[str, Any]:
    """What a command made: the content of a run folder, or of one file."""
    if made.is_dir():
        return content_of(made)
    return {made.name: made.stat().st_size} if made.exists() else {}


def outcome_of_fault(runner: Runner, whole: Undisturbed, fault: Fault, work: Path) -> tuple[str, str]:
    """Disturb a command, give it again until it succeeds, and compare.

    Returns:
        The outcome and what explains it. "same": the fault came too late to disturb it. "healed": the
        command went on from what was left. "wrong": another result, or status 0 without the whole result and
        without a sentence about what is missing, which the command given again must then add.
    """
    folder = fresh(whole.start, work)
    first = runner.run(folder, *whole.command, fault=fault)
    if first.crashed:
        return "crashed", f"status {first.status}: {first.stderr[-600:]}"
    if first.status == 0 and (not said_what_is_missing(first) or not missing(whole, folder)):
        return compared(whole, folder, "same")
    again = resumed(runner, whole, folder)
    if again.crashed or again.status != 0:
        return "crashed", f"after {first.status}, again {again.status}: {again.stderr[-600:]}"
    return compared(whole, folder, "healed")


def said_what_is_missing(ended: Ended) -> bool:
    """Whether a command that ended well said that it could not write all."""
    return "Expected to write" in ended.stderr


def missing(whole: Undisturbed, folder: Path) -> bool:
    """Whether files are missing from what a command made, while those that are there are right."""
    found = result_of(folder / whole.made)
    right = all(whole.content.get(name) == content for name, content in found.items())
    return right and found.keys() < whole.content.keys()


def resumed(runner: Runner, whole: Undisturbed, folder: Path) -> Ended:
    """The command again, without faults."""
    return runner.run(folder, *whole.command, fault=NONE)


def compared(whole: Undisturbed, folder: Path, outcome: str) -> tuple[str, str]:
    """The outcome if the result is what it must be."""
    other = difference(whole.content, result_of(folder / whole.made))
    return ("wrong", f"differs in {other}") if other else (outcome, "")
