"""Runs that a stranger has changed: JSON that is none, values of other kinds, manifests that fit them."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from deepsight.core.evidence import parquet_of
from deepsight.core.files.atomic import file_digest
from deepsight.core.files.manifest import FOLDER, Manifest
from faulty.damage import is_sentence
from faulty.kills import fresh
from faulty.mutants import HOSTILE_JSON, HOSTILE_VALUES
from faulty.runner import Runner


class RunChange(Protocol):
    """What a stranger may do to a run."""

    def apply(self, run: Path) -> None:
        """Change the run."""


@dataclass(frozen=True)
class Change:
    """One change to a run.

    Attributes:
        file: that is changed.
        key: of the JSON object that gets another value; None where the whole file does.
        number: of the value in `HOSTILE_VALUES`, or of the text in `HOSTILE_JSON`.
    """

    file: str
    key: str | None
    number: int

    def apply(self, run: Path) -> None:
        """Change the run."""
        path = run / self.file
        if self.key is None:
            path.write_text(HOSTILE_JSON[self.number])
            return
        content = json.loads(path.read_text())
        content[self.key] = HOSTILE_VALUES[self.number]
        path.write_text(json.dumps(content))


def changes_of(run: Path, rng: np.random.Generator, count: int) -> Iterator[Change]:
    """So many random changes to the JSON files of a run."""
    paths = (path for path in run.rglob("*.json") if path.parent.name != FOLDER)
    files = sorted(path.relative_to(run).as_posix() for path in paths)
    keys = {name: sorted(json.loads((run / name).read_text())) for name in files}
    for _ in range(count):
        file = files[int(rng.integers(len(files)))]
        if rng.random() < 0.25 or not keys[file]:
            yield Change(file, None, int(rng.integers(len(HOSTILE_JSON))))
        else:
            key = keys[file][int(rng.integers(len(keys[file])))]
            yield Change(file, key, int(rng.integers(len(HOSTILE_VALUES))))


def reseal(run: Path) -> None:
    """Give the manifests the digests of what is there now, as somebody can who knows the format."""
    for path in (run / FOLDER).glob("*.json"):
        content = json.loads(path.read_text())
        files = {name: file_digest(run / name) for name in content["files"] if (run / name).is_file()}
        tables = {name: fitting(about, run / parquet_of(name)) for name, about in content["tables"].items()}
        made = Manifest(content["stage"], content["order"], files, tables)
        path.write_text(json.dumps(made.content()))


def fitting(about: dict[str, Any], table: Path) -> dict[str, Any]:
    """What a manifest says of a table, with a unit for each column that is there now."""
    with table.open("rb") as file:
        columns = pl.read_parquet_schema(file)
    return {**about, "units": {name: about["units"].get(name, "made up") for name in columns}}


def outcome_of_change(
    runner: Runner,
    start: Path,
    change: RunChange,
    command: Sequence[str],
    work: Path,
    *,
    sealed: bool,
) -> tuple[str, str]:
    """Give a changed run to a command: it must refuse with a sentence, or work, and write nowhere else."""
    folder = fresh(start, work)
    change.apply(folder / "run")
    if sealed:
        reseal(folder / "run")
    else:
        shutil.rmtree(folder / "run" / FOLDER)
    before = listing(folder.parent, without=folder)
    ended = runner.run(folder, *command)
    if listing(folder.parent, without=folder) != before:
        return "wrong", "it wrote outside its folder"
    if ended.crashed:
        return "crashed", f"status {ended.status}: {ended.stderr[-500:]}"
    if ended.status in (0, 3):
        return "same", ""
    return ("refused", "") if is_sentence(ended) else ("crashed", f"no sentence: {ended.stderr[-500:]}")


def listing(folder: Path, *, without: Path) -> Mapping[str, int]:
    """The entries of a folder but for one, and when each was changed."""
    return {item.name: item.stat().st_mtime_ns for item in folder.iterdir() if item != without}
