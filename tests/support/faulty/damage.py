"""Files that a disk, a copy or a stranger has changed, and what commands make of them."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faulty.kills import fresh
from faulty.runner import Ended, Runner
from faulty.study import content_of, difference

Damage = Callable[[Path, Path, np.random.Generator], bool]


def truncated(path: Path, _: Path, rng: np.random.Generator) -> bool:
    """Cut a file somewhere."""
    size = path.stat().st_size
    os.truncate(path, int(rng.integers(0, size)) if size else 0)
    return size > 0


def flipped(path: Path, _: Path, rng: np.random.Generator) -> bool:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    if not content:
        return False
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    return True


def emptied(path: Path, _: Path, __: np.random.Generator) -> bool:
    """Leave nothing in a file."""
    there = path.stat().st_size > 0
    path.write_bytes(b"")
    return there


def replaced(path: Path, other: Path, _: np.random.Generator) -> bool:
    """Put the file of another run in its place."""
    if not other.is_file() or other.read_bytes() == path.read_bytes():
        return False
    shutil.copyfile(other, path)
    return True


def removed(path: Path, _: Path, __: np.random.Generator) -> bool:
    """Take a file away."""
    path.unlink()
    return True


DAMAGES: Mapping[str, Damage] = {
    "truncated": truncated, "flipped": flipped, "emptied": emptied, "replaced": replaced, "removed": removed
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A command that reads a run, and its answers where nothing is damaged.

    Attributes:
        command: its arguments.
        stdout: its answer.
        content: of the run folder afterwards.
        makes: whether it makes the run whole again, so that its content must be that of an undamaged one.
        made: a file that it writes outside the run, and its bytes.
    """

    command: tuple[str, ...]
    stdout: str
    content: Mapping[str, Any]
    makes: bool
    made: Mapping[str, bytes]


def question(
    runner: Runner, start: Path, work: Path, *command: str, makes: bool = False, made: Sequence[str] = ()
) -> Question:
    """Ask once without damage."""
    folder = fresh(start, work)
    ended = runner.run(folder, *command)
    if ended.status != 0:
        raise RuntimeError(f"{command} failed without damage: {ended.stderr}")
    written = {name: bytes_of(folder / name) for name in made}
    return Question(command, ended.stdout, content_of(folder / "run"), makes, written)


def bytes_of(path: Path) -> bytes:
    """The content of a file; empty where there is none."""
    return path.read_bytes() if path.is_file() else b""


def outcome_of_damage(
    runner: Runner, asked: Question, start: Path, other: Path, name: str, damage: str, work: Path,
    *, seed: int,
) -> tuple[str, str] | None:  # fmt: skip
    """Damage a file, ask, and compare; None where the damage changes nothing.

    Returns:
        "refused": a sentence, about the answer or about the part of it that needed the file; "healed": the
        answer is right and the file is whole again; "same": the answer is right and did not need the file;
        "wrong": another answer; "crashed".
    """
    folder = fresh(start, work)
    path = folder / name
    if not DAMAGES[damage](path, other / name, np.random.default_rng(seed)):
        return None
    left = bytes_of(path)
    ended = runner.run(folder, *asked.command)
    if ended.crashed:
        return "crashed", f"status {ended.status}: {ended.stderr[-600:]}"
    if ended.status != 0:
        return ("refused", "") if is_sentence(ended) else ("crashed", f"no sentence: {ended.stderr[-600:]}")
    wrong = difference_of_answer(asked, ended, folder)
    if wrong and "Expected" in ended.stderr and Path(name).name in ended.stderr:
        return "refused", ""
    if wrong:
        return "wrong", wrong
    return ("healed" if bytes_of(path) != left else "same"), ""


def is_sentence(ended: Ended) -> bool:
    """Whether a refusal says what was expected."""
    return ended.status in (1, 2) and "Expected" in ended.stderr


def difference_of_answer(asked: Question, ended: Ended, folder: Path) -> str:
    """How an answer differs from that of an undamaged run; empty where it does not."""
    if ended.stdout != asked.stdout:
        return f"said {ended.stdout[:200]!r}"
    made = [name for name, content in asked.made.items() if bytes_of(folder / name) != content]
    if made:
        return f"wrote another {made[0]}"
    return difference(asked.content, content_of(folder / "run")) if asked.makes else ""


def files_below(folder: Path) -> Iterator[str]:
    """The files in a folder by their path in it, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".lock":
            yield path.relative_to(folder).as_posix()
