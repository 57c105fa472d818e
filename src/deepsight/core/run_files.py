"""The files of a run folder, each compared with the manifest of its stage before it is read."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import parquet_of, read_index
from deepsight.core.files import manifest
from deepsight.core.files.atomic import atomic_path, write_json
from deepsight.core.files.damage import damage_as
from deepsight.core.files.manifest import INDEX, Manifests, read_manifests, reopen_stage, write_manifest
from deepsight.core.schemas.json_files import require_schema
from deepsight.core.schemas.tables import checked_table

STUDY, METRICS, REPORT = "study.yaml", "metrics.json", "report.html"
# The command that recreates the files of a stage, where it is not named after the stage.
COMMANDS = {"check": "report", "predict": "report"}
# The stage that writes each file, for runs without manifests.
WRITERS = {"splits.npz": "scrub", "hypotheses.json": "explore", METRICS: "interpret", REPORT: "report"}


@dataclass(frozen=True)
class RunFiles:
    """The files in a run folder. Each is written atomically, and a manifest per stage holds their digests.

    A file is compared with its manifest when it is read. One that differs is refused, with the command that
    recreates it.

    Attributes:
        path: the folder.
        made: files written through this object since the last `commit`.
    """

    path: Path
    made: set[str] = field(default_factory=set, compare=False, repr=False)

    def file(self, name: str) -> Path:
        """The path of a file of this run.

        Raises:
            DeepSightError: the name leads out of the folder.
        """
        if not manifest.is_inside(name):
            raise DeepSightError(f"Expected a file inside {self.path}, received '{name}'.")
        return self.path / name

    def has(self, name: str) -> bool:
        """Whether this file of the run exists."""
        return self.file(name).exists()

    def noted(self, name: str) -> Path:
        """The path of a file that is about to be written, and becomes part of the next commit."""
        self.made.add(name)
        return self.file(name)

    def manifests(self) -> Manifests | None:
        """The manifests of the finished stages; None for a run of an earlier version."""
        return read_manifests(self.path)

    def is_changed(self) -> bool:
        """Whether this is a run with files that its manifests do not confirm, as in another version's."""
        try:
            if not self.file(STUDY).is_file():
                return False
            known = self.manifests()
            if known is None or len(known.by_stage) < len(list(self.file(manifest.FOLDER).glob("*.json"))):
                return True
            return any(known.failing(stage) for stage in known.by_stage)
        except (OSError, ValueError):
            return False

    def holds(self, name: str) -> bool:
        """Whether a file is what the run wrote, as far as its manifests say."""
        known = None if name in self.made else self.manifests()
        return known is None or known.holds(name)

    def require_whole(self, name: str) -> None:
        """Refuse a file that is not what its stage wrote.

        Raises:
            DeepSightError: it differs; the message names the command that recreates it.
        """
        if not self.holds(name):
            raise self.damaged(name, "it is not what the run wrote", self.manifests())

    def damaged(self, name: str, why: object, known: Manifests | None = None) -> DeepSightError:
        """The error for a file that cannot be used, with the remedy."""
        owner = known.owners.get(name) if known is not None else None
        stage = owner.stage if owner is not None else writer_of(name)
        if name == STUDY or stage == "obtain":
            remedy = (
                "Restore it from a copy, or start again elsewhere: deepsight run --out ANOTHER. "
                "A file that you have edited goes to --config."
            )
        elif stage == "examine":
            remedy = f"Examine again, with the same deepsight examine --out {self.path}"
        else:
            first = "Remove it, and make" if owner is None else "Make"
            remedy = f"{first} it again: deepsight {COMMANDS.get(stage, stage)} {self.path}"
        return DeepSightError(f"Expected {name} in {self.path} undamaged, but {why}. {remedy}")

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """The path of a file to read; whatever its manifest or reader objects to becomes a `DeepSightError`.

        Raises:
            DeepSightError: the file is missing or damaged; the message names the command that recreates it.
        """
        self.require_whole(name)
        with damage_as(lambda why: self.damaged(name, f"it cannot be used ({why})", self.manifests())):
            yield self.file(name)

    def commit(self, stage: str, *, also: Iterable[str] = ()) -> None:
        """Write the manifest of a stage, which makes all files written since the last commit count.

        Args:
            stage: its name.
            also: names of files that were not written through this object.
        """
        names = {name for name in (*self.made, *also) if self.has(name)}
        index = self.index() if INDEX in names else {}
        tables = {name: about for name, about in index.items() if parquet_of(name) in names}
        write_manifest(self.path, stage, names, tables)
        self.made.clear()

    def reopen(self, stage: str) -> None:
        """Let nothing of a stage count until its next commit, and remove its damaged files."""
        known = self.manifests()
        if known is not None and stage in known.by_stage:
            for name in known.failing(stage):
                self.file(name).unlink(missing_ok=True)
        reopen_stage(self.path, stage)

    def index(self) -> dict[str, dict[str, Any]]:
        """The metadata of each evidence table, from the manifests, or from `index.json` if there are none."""
        known = None if INDEX in self.made else self.manifests()
        if known is not None:
            return known.tables()
        with self.reading(INDEX) as path:
            return read_index(path.parent)

    def repair_index(self) -> None:
        """Rewrite `index.json`, which other programs read, where it is not what the run wrote."""
        known = self.manifests()
        if known is not None and known.tables() and not known.holds(INDEX):
            write_json(self.noted(INDEX), known.tables())

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of this run, such as metrics.json, data.json or environment.json."""
        with self.reading(name) as path:
            text = path.read_text(encoding="utf-8")
            require_schema(name, text)
            return dict(json.loads(text))

    def save_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file of this run."""
        write_json(self.noted(name), content)

    def read_frame(self, name: str) -> pl.DataFrame:
        """A parquet file of this run that is not an evidence table; its columns are checked."""
        with self.reading(name) as path, path.open("rb") as file:
            return checked_table(path.stem, pl.read_parquet(file))

    def save_frame(self, name: str, frame: pl.DataFrame) -> None:
        """Write a parquet file of this run."""
        with atomic_path(self.noted(name)) as path, path.open("wb") as file:
            frame.write_parquet(file)


def writer_of(name: str) -> str:
    """The stage that writes a file of a run."""
    folder = name.partition("/")[0]
    return WRITERS.get(name) or {"evidence": "interpret", "data.json": "obtain"}.get(folder, "train")
