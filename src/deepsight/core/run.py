"""A study on disk: the run folder that other programs read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, parquet_of, stored_table
from deepsight.core.file_columns import with_files
from deepsight.core.files import manifest
from deepsight.core.files.atomic import atomic_path, is_part, write_bytes, write_npz, write_text
from deepsight.core.files.lock import LOCK
from deepsight.core.files.manifest import INDEX
from deepsight.core.files.safe_yaml import read_yaml, require_seal, sealed, yaml_text
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.notebook_html import run_html
from deepsight.core.predictions import Predictions
from deepsight.core.run_files import METRICS, REPORT, STUDY, RunFiles
from deepsight.core.schemas.rows import (
    largest_row,
    require_known_classes,
    require_predictions_of,
    require_rows,
    require_rows_of_images,
)

__all__ = [
    "AUDIT", "AUDITED", "EXAMINED", "IMAGES", "METRICS", "PICTURES", "REPORT", "SPLIT_LIST", "STUDY", "Run",
]  # fmt: skip

PICTURES = "evidence/pictures"
IMAGES, SPLIT_LIST = "images.parquet", "splits.csv"
EXAMINED = "examined"  # the key of study.yaml that only an examination of an external model has
AUDITED, AUDIT = "audited", "audit.json"  # the key that only an audit of a data set has, and its results


@dataclass(frozen=True)
class Run(RunFiles):
    """A study on disk: its configuration, splits, predictions, evidence and report.

    Attributes:
        path: the run folder.
        made: files written through this object since the last `commit`.
    """

    @staticmethod
    def create(path: str | Path, study: Mapping[str, Any]) -> "Run":
        """Create the folder for this study, or continue the one that an interrupted run of it left.

        Args:
            path: the run folder.
            study: the resolved configuration.

        Raises:
            DeepSightError: the folder holds another study or other files, or cannot be written to.
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
        """An existing run.

        Raises:
            DeepSightError: the folder holds no run.

        Example:
            >>> from deepsight import Run
            >>> run = Run.open("runs/first")
            >>> run.predictions("test").k
            10
        """
        path = Path(path)
        try:
            exists = (path / STUDY).is_file()
        except OSError:  # a name that is too long, or a folder that cannot be entered
            exists = False
        if not exists:
            raise DeepSightError(
                f"Expected a run folder with a {STUDY} in {path}, found none. "
                f"Make one: deepsight run --out {path}"
            )
        return Run(path)

    def require_usable(self) -> None:
        """Refuse a folder that holds files other than a run's, before anything is written into it.

        Raises:
            DeepSightError: it holds other files, or it cannot be read.
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
        """Write the configuration of a new run, and create the folder for its manifests."""
        try:
            self.file(manifest.FOLDER).mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self.save_study(study)

    def require_same(self, study: Mapping[str, Any]) -> None:
        """Refuse to continue another kind of run, or a run with another configuration.

        Raises:
            DeepSightError: the kinds or the configurations differ; the message names the first difference.
        """
        stored, study = self.study(), yaml.safe_load(yaml_text(study))  # tuples become lists in YAML
        held, asked = kind_of_run(stored), kind_of_run(study)
        if held != asked:
            raise DeepSightError(
                f"Expected {self.path} to hold {asked}, but it holds {held}, which would be overwritten. "
                "Choose another --out."
            )
        different = sorted(key for key, value in study.items() if stored.get(key) != value)
        if different:
            key = different[0]
            raise DeepSightError(
                f"Expected {self.path} to hold this study, but its {key} is {stored.get(key)!r}, "
                f"not {study[key]!r}. Choose another --out, or remove that folder."
            )

    def require_study(self, wanted: str) -> "Run":
        """This run, if it is a study and not an audit or the examination of an external model.

        Args:
            wanted: what it is needed for, such as "interpret".

        Raises:
            DeepSightError: it is an examination or an audit.
        """
        study = self.study()
        if study.get(EXAMINED):
            raise DeepSightError(
                f"Expected a study in {self.path} for {wanted}, but it holds the examination of an external "
                "model. Use the folder of a deepsight run, or examine again."
            )
        if AUDITED in study:
            raise DeepSightError(
                f"Expected a study in {self.path} for {wanted}, but it holds the audit of a data set. "
                "Use the folder of a deepsight run, or audit again."
            )
        return self

    def _repr_html_(self) -> str:
        """The headline, the causes of the errors and the findings, as a notebook shows them."""
        return run_html(self)

    def require(self, name: str, *, stage: str) -> "Run":
        """This run, if one of its files exists and is undamaged.

        Args:
            name: of the file.
            stage: the command that creates it.

        Raises:
            DeepSightError: the file is missing or damaged; the message names the command.
        """
        if not self.has(name):
            raise DeepSightError(f"Expected {name} in {self.path}, {self._instead(stage)}")
        self.require_whole(name)
        return self

    def _instead(self, stage: str) -> str:
        """The end of a sentence on a file that is not there: what is, or how to make the file."""
        study = self.study() if self.has(STUDY) else {}
        if AUDITED in study:
            return "but it holds the audit of a data set. Use the folder of a deepsight run."
        if study.get(EXAMINED):
            return "but it holds the examination of an external model. Use the folder of a deepsight run."
        return f"found none. Make it: deepsight {stage} {self.path}"

    def study(self) -> dict[str, Any]:
        """The resolved configuration."""
        with self.reading(STUDY) as path:
            if self.has(manifest.FOLDER):
                require_seal(path)
            return read_yaml(path)

    def save_study(self, study: Mapping[str, Any]) -> None:
        """Write the resolved configuration with its own digest, since several stages add to its plan."""
        write_text(self.file(STUDY), sealed(yaml_text(study)))

    def splits(self) -> dict[str, NDArray[np.int64]]:
        """The rows of train, val and test in the official order of their source, int64 (n,) each."""
        with self.reading("splits.npz") as path, np.load(path, allow_pickle=False) as file:
            return {name: require_rows(file[name]) for name in ("train", "val", "test")}

    def save_splits(self, rows: Mapping[str, NDArray[np.int64]]) -> None:
        """Write the rows of train, val and test."""
        write_npz(self.noted("splits.npz"), **dict(rows))

    def history(self) -> pl.DataFrame:
        """One row per epoch."""
        return self.read_frame("history.parquet")

    def save_history(self, history: pl.DataFrame) -> None:
        """Write the training history, one row per epoch."""
        self.save_frame("history.parquet", history)

    def predictions(self, split: str) -> Predictions:
        """The model's outputs for "val", "test", or the part of "train" that was predicted."""
        with self.reading(f"predictions/{split}.npz") as path:
            found = Predictions.load(path)
            require_predictions_of(
                found, split, largest=self.largest_row(), classes=len(self.class_names()),
                splits=self.splits() if self.has("splits.npz") else {},
            )  # fmt: skip
        return found

    def save_predictions(self, split: str, predictions: Predictions) -> None:
        """Write the model's outputs for a split."""
        predictions.save(self.noted(f"predictions/{split}.npz"))

    def evidence(self) -> Evidence:
        """All findings so far, in the order in which they were written."""
        tables, largest, classes = {}, self.largest_row(), self.class_names()
        for name, about in self.index().items():
            with self.reading(parquet_of(name)) as path:
                tables[name] = stored_table(path, about)
                require_rows_of_images(tables[name].frame, largest)
                require_known_classes(tables[name].frame, classes)
        return Evidence(tables)

    def largest_row(self) -> int | None:
        """The largest valid row of an image; None in an audit and in runs of earlier versions."""
        return largest_row(self.images())

    def class_names(self) -> list[str]:
        """The class names in order; empty where the run does not store them."""
        return list(self.read_json("data.json").get("classes", ())) if self.has("data.json") else []

    def save_evidence(self, evidence: Evidence) -> None:
        """Write these tables, with a column for the file of each image in them.

        A table of the same name is replaced.
        """
        index = self.index()
        with_files(evidence, self.file_names()).save(self.file("evidence"), index)
        self.made.update(map(parquet_of, evidence))
        self.made.add(INDEX)

    def save_images(self, images: pl.DataFrame) -> None:
        """Write the table of images: their files, classes and groups, and digests to detect changes."""
        self.save_frame(IMAGES, images)

    def images(self) -> pl.DataFrame | None:
        """The table of images; None in runs of earlier versions."""
        return self.read_frame(IMAGES) if self.has(IMAGES) else None

    def file_names(self) -> pl.DataFrame:
        """One row (split, index, file) per image with a file, under every split that shares its source."""
        return self._of_images("file")

    def given_classes(self) -> pl.DataFrame:
        """One row (split, index, class) per image, under every split that shares its source."""
        return self._of_images("class")

    def _of_images(self, column: str) -> pl.DataFrame:
        """A column of the table of images, by split and row; empty in runs of earlier versions."""
        images = self.images()
        if images is None:
            return pl.DataFrame(schema={"split": pl.String, "index": pl.Int64, column: pl.String})
        sources: dict[str, str] = self.read_json("data.json").get("sources", {})
        parts = {
            name: images.filter(source=sources.get(name, sources.get("train", "")))
            for name in ("train", "val")
        }
        parts["test"] = self._examined(images)
        frames = [
            part.filter(pl.col(column).is_not_null()).select(pl.lit(name).alias("split"), "index", column)
            for name, part in parts.items()
        ]
        return pl.concat(frames)

    @property
    def examined_split(self) -> str:
        """The part that the stored test predictions are of: "test" unless an examination chose another."""
        record = self.read_json("data.json") if self.has("data.json") else {}
        return str((record.get("examined") or {}).get("split", "test"))

    def examined_images(self) -> pl.DataFrame | None:
        """The table of images with the `index` that the test predictions use; None in earlier versions' runs.

        It may list images of the same source that were not predicted.
        """
        images = self.images()
        return None if images is None else self._examined(images)

    def _examined(self, images: pl.DataFrame) -> pl.DataFrame:
        """The rows of the source of the examined part; rows of several sources are numbered consecutively."""
        record, split = self.read_json("data.json"), self.examined_split
        sources: dict[str, str] = record.get("sources", {})
        folds = "folds" in (record.get("examined") or {})
        if split == "all" and not folds and len(set(sources.values())) > 1:
            return images.with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))
        name = "train" if split == "all" else split
        return images.filter(source=sources.get(name, sources.get("train", "")))

    def save_split_list(self, rows: pl.DataFrame) -> None:
        """Write `splits.csv`, the split of each image, for programs that predict the held-out part."""
        with atomic_path(self.noted(SPLIT_LIST)) as path, path.open("wb") as file:
            guarded_frame(rows).write_csv(file)

    def save_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Write encoded pictures by their paths in this folder."""
        for name, content in pictures.items():
            write_bytes(self.noted(name), content)

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        return self.read_json(METRICS)


def kind_of_run(study: Mapping[str, Any]) -> str:
    """The kind of run with this study.yaml, in words."""
    if study.get(EXAMINED):
        return "the examination of an external model"
    return "the audit of a data set" if AUDITED in study else "a study"


def is_own(name: str) -> bool:
    """Whether an entry of a new folder is DeepSight's own: a lock, the manifests or an unfinished file."""
    return name in {manifest.FOLDER, LOCK} or is_part(name)
