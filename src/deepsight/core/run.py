"""A study on disk: the run folder that other programs read."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, parquet_of, read_index, table_of
from deepsight.core.file_columns import with_files
from deepsight.core.files import manifest
from deepsight.core.files.atomic import (
    atomic_path,
    is_part,
    write_bytes,
    write_json,
    write_npz,
    write_text,
)
from deepsight.core.files.damage import damage_as
from deepsight.core.files.lock import LOCK
from deepsight.core.files.manifest import INDEX, Manifests, read_manifests, reopen_stage, write_manifest
from deepsight.core.files.safe_yaml import read_yaml, require_seal, sealed, yaml_text
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.notebook import run_html
from deepsight.core.predictions import Predictions
from deepsight.core.schemas.json_files import require_schema
from deepsight.core.schemas.rows import (
    largest_row,
    require_known_classes,
    require_predictions_of,
    require_rows,
    require_rows_of_images,
)
from deepsight.core.schemas.tables import require_table

STUDY, METRICS, REPORT = "study.yaml", "metrics.json", "report.html"
PICTURES = "evidence/pictures"
IMAGES, SPLIT_LIST = "images.parquet", "splits.csv"
EXAMINED = "examined"  # the key of study.yaml that only an examination of an external model has
AUDITED, AUDIT = "audited", "audit.json"  # the key that only an audit of a data set has, and its results
# The command that makes again what a stage has made, where it has another name.
COMMANDS = {"check": "report", "predict": "report"}
# The stage that makes each file, for runs without manifests.
MAKERS = {"splits.npz": "scrub", "hypotheses.json": "explore", METRICS: "interpret", REPORT: "report"}


@dataclass(frozen=True)
class Run:
    """A run folder. Every file is written whole, and the manifest of its stage says what it must hold.

    A file is compared with its manifest when it is read; one that differs is refused, with the command that
    makes it again.

    Attributes:
        path: the folder.
        made: the files that were written through this object since the last `commit`.
    """

    path: Path
    made: set[str] = field(default_factory=set, compare=False, repr=False)

    @staticmethod
    def create(path: str | Path, study: Mapping[str, Any]) -> "Run":
        """Make the folder for this study, or take up the one that an interrupted run of it left.

        Raises:
            DeepSightError: the folder holds another study, holds something else, or cannot be written to.
        """
        run = Run(Path(path))
        run.require_usable()
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(run.path, error) from error
        if not os.access(run.path, os.W_OK):
            raise DeepSightError(
                f"Expected to write to {run.path}, but it is read-only. Choose another --out."
            )
        if run.file(STUDY).exists():
            run.require_same(study)
        else:
            run.begin(study)
        return run

    @staticmethod
    def open(path: str | Path) -> "Run":
        """A run that exists.

        Raises:
            DeepSightError: there is no study in this folder.

        Example:
            >>> from deepsight import Run
            >>> run = Run.open("runs/first")
            >>> run.predictions("test").k
            10
        """
        path = Path(path)
        try:
            there = (path / STUDY).is_file()
        except OSError:  # a name that is too long, or a folder that cannot be entered
            there = False
        if not there:
            raise DeepSightError(
                f"Expected a run folder with a {STUDY} in {path}, found none. "
                f"Make one: deepsight run --out {path}"
            )
        return Run(path)

    def require_usable(self) -> None:
        """Refuse a folder that holds something other than a run, before anything is written into it.

        Raises:
            DeepSightError: it does, or it cannot be read.
        """
        try:
            if not self.path.is_dir() or self.file(STUDY).exists():
                return
            foreign = any(not is_own(item.name) for item in self.path.iterdir())
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if foreign:
            raise DeepSightError(
                f"Expected an empty folder or a run in {self.path}, received other files. "
                "Choose another --out."
            )

    def begin(self, study: Mapping[str, Any]) -> None:
        """Write the configuration of a new run, and the folder that will hold its manifests."""
        try:
            self.file(manifest.FOLDER).mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self.save_study(study)

    def require_same(self, study: Mapping[str, Any]) -> None:
        """Refuse to continue a run under another configuration, or another kind of run."""
        there, study = self.study(), yaml.safe_load(yaml_text(study))  # tuples are lists in a file
        held, asked = kind_of(there), kind_of(study)
        if held != asked:
            raise DeepSightError(
                f"Expected {self.path} to hold {asked}, but it holds {held}, which would be overwritten. "
                "Choose another --out."
            )
        different = sorted(key for key, value in study.items() if there.get(key) != value)
        if different:
            key = different[0]
            raise DeepSightError(
                f"Expected {self.path} to hold this study, but its {key} is {there.get(key)!r} "
                f"and {study[key]!r} was asked for. Choose another --out, or remove that folder."
            )

    def require_study(self, wanted: str) -> "Run":
        """This run, if it is a study: no examination of a model that was made elsewhere, and no audit.

        Args:
            wanted: what would be done with it, such as "interpret".

        Raises:
            DeepSightError: it is an examination or an audit.
        """
        study = self.study()
        if study.get(EXAMINED):
            raise DeepSightError(
                f"Expected a study in {self.path} to {wanted}, but it holds the examination of a model that "
                "was made elsewhere. Use a folder that deepsight run made, or examine again."
            )
        if AUDITED in study:
            raise DeepSightError(
                f"Expected a study in {self.path} to {wanted}, but it holds the audit of a data set. "
                "Use a folder that deepsight run made, or audit again."
            )
        return self

    def _repr_html_(self) -> str:
        """What a notebook shows: the headline, the causes of the errors, the findings."""
        return run_html(self)

    def file(self, name: str) -> Path:
        """The path of a file of this run.

        Raises:
            DeepSightError: the name leads out of the folder.
        """
        if not manifest.is_inside(name):
            raise DeepSightError(f"Expected a file inside {self.path}, received '{name}'.")
        return self.path / name

    def has(self, name: str) -> bool:
        """Whether a file of this run is there."""
        return self.file(name).exists()

    def require(self, name: str, *, stage: str) -> "Run":
        """This run, if a file of it is there and undamaged.

        Raises:
            DeepSightError: it is not; the message names the stage that makes it.
        """
        if not self.has(name):
            raise DeepSightError(
                f"Expected {name} in {self.path}, found none. Make it: deepsight {stage} {self.path}"
            )
        self.require_whole(name)
        return self

    def manifests(self) -> Manifests | None:
        """What the finished stages have made; None for a run of an earlier version."""
        return read_manifests(self.path)

    def is_changed(self) -> bool:
        """Whether this is a run whose files are not proved by its manifests, as one of another version."""
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
        """Refuse a file that is not what its stage has made.

        Raises:
            DeepSightError: it is not; the message names the command that makes it again.
        """
        if not self.holds(name):
            raise self.damaged(name, "it is not what the run wrote", self.manifests())

    def damaged(self, name: str, why: object, known: Manifests | None = None) -> DeepSightError:
        """The sentence for a file that cannot be used, with the remedy."""
        owner = known.owners.get(name) if known is not None else None
        stage = owner.stage if owner is not None else maker_of(name)
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
        """The path of a file to read; damage that its manifest or its reader finds becomes a sentence.

        Raises:
            DeepSightError: as `require_whole`.
        """
        self.require_whole(name)
        with damage_as(lambda why: self.damaged(name, f"it cannot be used ({why})", self.manifests())):
            yield self.file(name)

    def commit(self, stage: str, *, also: Iterable[str] = ()) -> None:
        """Write the manifest of a stage: all that was written since the last commit now counts.

        Args:
            stage: its name.
            also: names of files that were not written through this object.
        """
        names = {name for name in (*self.made, *also) if self.has(name)}
        index = self.index() if INDEX in names else {}
        tables = {name: about for name, about in index.items() if parquet_of(name) in names}
        write_manifest(self.path, stage, names, tables)
        self.made.clear()

    def study(self) -> dict[str, Any]:
        """The resolved configuration."""
        with self.reading(STUDY) as path:
            if self.has(manifest.FOLDER):
                require_seal(path)
            return read_yaml(path)

    def save_study(self, study: Mapping[str, Any]) -> None:
        """Write the resolved configuration, which proves itself: several stages add to its plan."""
        write_text(self.file(STUDY), sealed(yaml_text(study)))

    def noted(self, name: str) -> Path:
        """The path of a file that is about to be written, and becomes part of the next commit."""
        self.made.add(name)
        return self.file(name)

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of this run, such as metrics.json, data.json or environment.json."""
        with self.reading(name) as path:
            text = path.read_text(encoding="utf-8")
            require_schema(name, text)
            return dict(json.loads(text))

    def save_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file of this run."""
        write_json(self.noted(name), content)

    def splits(self) -> dict[str, NDArray[np.int64]]:
        """Rows of train, val and test in the source's official order."""
        with self.reading("splits.npz") as path, np.load(path, allow_pickle=False) as file:
            return {name: require_rows(file[name]) for name in ("train", "val", "test")}

    def save_splits(self, rows: Mapping[str, NDArray[np.int64]]) -> None:
        """Write the rows of train, val and test."""
        write_npz(self.noted("splits.npz"), **dict(rows))

    def history(self) -> pl.DataFrame:
        """One row per epoch."""
        return self._frame("history.parquet")

    def save_history(self, history: pl.DataFrame) -> None:
        """Write the row of each epoch."""
        with atomic_path(self.noted("history.parquet")) as path, path.open("wb") as file:
            history.write_parquet(file)

    def predictions(self, split: str) -> Predictions:
        """The model's answers for 'val', 'test', or the part of 'train' that it was asked about."""
        with self.reading(f"predictions/{split}.npz") as path:
            said = Predictions.load(path)
            require_predictions_of(
                said, split, largest=self.largest_row(), classes=len(self.class_names()),
                splits=self.splits() if self.has("splits.npz") else {},
            )  # fmt: skip
        return said

    def save_predictions(self, split: str, predictions: Predictions) -> None:
        """Write the model's answers for a split."""
        predictions.save(self.noted(f"predictions/{split}.npz"))

    def reopen(self, stage: str) -> None:
        """Let nothing of a stage count until its next commit, and remove what is damaged of it."""
        known = self.manifests()
        if known is not None and stage in known.by_stage:
            for name in known.failing(stage):
                self.file(name).unlink(missing_ok=True)
        reopen_stage(self.path, stage)

    def index(self) -> dict[str, dict[str, Any]]:
        """What each evidence table is, by the manifests; by `index.json` where there are none."""
        known = None if INDEX in self.made else self.manifests()
        if known is not None:
            return known.tables()
        with self.reading(INDEX) as path:
            return read_index(path.parent)

    def repair_index(self) -> None:
        """Write `index.json` anew, for other programs, where it is not what the run wrote."""
        known = self.manifests()
        if known is not None and known.tables() and not known.holds(INDEX):
            write_json(self.noted(INDEX), known.tables())

    def evidence(self) -> Evidence:
        """All findings so far, in the order in which they were made."""
        tables, largest, classes = {}, self.largest_row(), self.class_names()
        for name, about in self.index().items():
            with self.reading(parquet_of(name)) as path:
                tables[name] = table_of(path, about)
                require_rows_of_images(tables[name].frame, largest)
                require_known_classes(tables[name].frame, classes)
        return Evidence(tables)

    def largest_row(self) -> int | None:
        """The largest row that can name an image; None in an audit and in runs of earlier versions."""
        return largest_row(self.images())

    def class_names(self) -> list[str]:
        """The classes of the data in their order; empty where the run does not say."""
        return list(self.read_json("data.json").get("classes", ())) if self.has("data.json") else []

    def save_evidence(self, evidence: Evidence) -> None:
        """Add these findings to the folder, with the file of every image that they name.

        A table of the same name is replaced.
        """
        index = self.index()
        with_files(evidence, self.file_names()).save(self.file("evidence"), index)
        self.made.update(map(parquet_of, evidence))
        self.made.add(INDEX)

    def save_images(self, images: pl.DataFrame) -> None:
        """Write the table of images: what they were called, and the digests by which changes are seen."""
        with atomic_path(self.noted(IMAGES)) as path, path.open("wb") as file:
            images.write_parquet(file)

    def images(self) -> pl.DataFrame | None:
        """The table of images; None in runs of earlier versions."""
        if not self.has(IMAGES):
            return None
        return self._frame(IMAGES)

    def _frame(self, name: str) -> pl.DataFrame:
        """A table of this run that is no finding; its columns are of the kinds that DeepSight writes."""
        with self.reading(name) as path, path.open("rb") as file:
            frame = pl.read_parquet(file)
            require_table(path.stem, frame)
        return frame

    def file_names(self) -> pl.DataFrame:
        """One row (split, index, file) per image that has a name, whatever split its row ended in."""
        return self._of_images("file")

    def given_classes(self) -> pl.DataFrame:
        """One row (split, index, class) per image, whatever split its row ended in."""
        return self._of_images("class")

    def _of_images(self, column: str) -> pl.DataFrame:
        """A column of the table of images by split and row; empty in runs of earlier versions."""
        images = self.images()
        if images is None:
            return pl.DataFrame(schema={"split": pl.String, "index": pl.Int64, column: pl.String})
        sources: dict[str, str] = self.read_json("data.json").get("sources", {})
        place = {name: sources.get(name, sources.get("train", "")) for name in ("train", "val", "test")}
        known = images.filter(pl.col(column).is_not_null()).select("source", "index", column)
        frames = [
            known.filter(source=source).select(pl.lit(name).alias("split"), "index", column)
            for name, source in place.items()
        ]
        return pl.concat(frames)

    def save_split_list(self, rows: pl.DataFrame) -> None:
        """Write `splits.csv`: which image is in which split, for programs that predict the held-out part."""
        with atomic_path(self.noted(SPLIT_LIST)) as path, path.open("wb") as file:
            guarded_frame(rows).write_csv(file)

    def save_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Write pictures under their paths in this folder."""
        for name, content in pictures.items():
            write_bytes(self.noted(name), content)

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        return self.read_json(METRICS)


def kind_of(study: Mapping[str, Any]) -> str:
    """What a folder with this study.yaml holds."""
    if study.get(EXAMINED):
        return "an examination of a model that was made elsewhere"
    return "the audit of a data set" if AUDITED in study else "a study"


def is_own(name: str) -> bool:
    """Whether an entry of a new folder is DeepSight's: a lock, a manifest folder or an unfinished file."""
    return name in {manifest.FOLDER, LOCK} or is_part(name)


def maker_of(name: str) -> str:
    """The stage that makes a file of a run."""
    folder = name.partition("/")[0]
    return MAKERS.get(name) or {"evidence": "interpret", "data.json": "obtain"}.get(folder, "train")
