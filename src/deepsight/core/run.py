"""A study on disk: the run folder that other programs read."""

import json
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
from deepsight.core.evidence import Evidence
from deepsight.core.file_columns import with_files
from deepsight.core.files import atomic_path, cannot_write, write_json, write_npz, write_text
from deepsight.core.notebook import run_html
from deepsight.core.predictions import Predictions

STUDY, METRICS, REPORT = "study.yaml", "metrics.json", "report.html"
PICTURES = "evidence/pictures"
IMAGES, SPLIT_LIST = "images.parquet", "splits.csv"
EXAMINED = "examined"  # the key of study.yaml that only an examination of given predictions has


@dataclass(frozen=True)
class Run:
    """A run folder. Every file in it is written whole: what is there is valid, what is not is to be made."""

    path: Path

    @staticmethod
    def create(path: str | Path, study: Mapping[str, Any]) -> "Run":
        """Make the folder for this study, or take up the one that an interrupted run of it left.

        Raises:
            DeepSightError: the folder holds another study, holds something else, or cannot be written to.
        """
        path = Path(path)
        run = Run(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        if not os.access(path, os.W_OK):
            raise DeepSightError(f"Expected to write to {path}, but it is read-only. Choose another --out.")
        if run.file(STUDY).exists():
            run.require_same(study)
        elif any(not item.name.endswith(".part") for item in path.iterdir()):
            raise DeepSightError(
                f"Expected an empty folder or a run in {path}, received other files. Choose another --out."
            )
        else:
            run.save_study(study)
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
        if not (path / STUDY).exists():
            raise DeepSightError(
                f"Expected a run folder with a {STUDY} in {path}, found none. "
                f"Make one: deepsight run --out {path}"
            )
        return Run(path)

    def require_same(self, study: Mapping[str, Any]) -> None:
        """Refuse to continue a run under another configuration, or another kind of run."""
        there, study = self.study(), yaml.safe_load(yaml.safe_dump(dict(study)))  # tuples are lists in a file
        if bool(there.get(EXAMINED)) != bool(study.get(EXAMINED)):
            kinds = ("a study", "an examination of predictions")
            held = kinds[bool(there.get(EXAMINED))]
            raise DeepSightError(
                f"Expected {self.path} to hold {kinds[not there.get(EXAMINED)]}, but it holds {held}, which "
                "would be overwritten. Choose another --out."
            )
        different = sorted(key for key, value in study.items() if there.get(key) != value)
        if different:
            key = different[0]
            raise DeepSightError(
                f"Expected {self.path} to hold this study, but its {key} is {there.get(key)!r} "
                f"and {study[key]!r} was asked for. Choose another --out, or remove that folder."
            )

    def require_study(self, wanted: str) -> "Run":
        """This run, if it is a study and no examination of predictions that were made elsewhere.

        Args:
            wanted: what would be done with it, such as "interpret".

        Raises:
            DeepSightError: it is an examination.
        """
        if self.study().get(EXAMINED):
            raise DeepSightError(
                f"Expected a study in {self.path} to {wanted}, but it holds predictions of a model that was "
                "made elsewhere. Use a folder that deepsight run made, or examine again."
            )
        return self

    def _repr_html_(self) -> str:
        """What a notebook shows: the headline, the causes of the errors, the findings."""
        return run_html(self)

    def file(self, name: str) -> Path:
        """The path of a file of this run."""
        return self.path / name

    def has(self, name: str) -> bool:
        """Whether a file of this run is there, and so is whole."""
        return self.file(name).exists()

    def require(self, name: str, *, stage: str) -> "Run":
        """This run, if a file of it is there.

        Raises:
            DeepSightError: it is not; the message names the stage that makes it.
        """
        if not self.has(name):
            raise DeepSightError(
                f"Expected {name} in {self.path}, found none. Make it: deepsight {stage} {self.path}"
            )
        return self

    def study(self) -> dict[str, Any]:
        """The resolved configuration."""
        content = yaml.safe_load(self.file(STUDY).read_text(encoding="utf-8"))
        return dict(content)

    def save_study(self, study: Mapping[str, Any]) -> None:
        """Write the resolved configuration."""
        write_text(self.file(STUDY), yaml.safe_dump(dict(study), sort_keys=False, allow_unicode=True))

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of this run, such as metrics.json, data.json or environment.json."""
        return dict(json.loads(self.file(name).read_text(encoding="utf-8")))

    def save_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file of this run."""
        write_json(self.file(name), content)

    def splits(self) -> dict[str, NDArray[np.int64]]:
        """Rows of train, val and test in the source's official order."""
        with np.load(self.file("splits.npz"), allow_pickle=False) as file:
            return {name: file[name] for name in ("train", "val", "test")}

    def save_splits(self, rows: Mapping[str, NDArray[np.int64]]) -> None:
        """Write the rows of train, val and test."""
        write_npz(self.file("splits.npz"), **dict(rows))

    def history(self) -> pl.DataFrame:
        """One row per epoch."""
        return pl.read_parquet(self.file("history.parquet"))

    def save_history(self, history: pl.DataFrame) -> None:
        """Write the row of each epoch."""
        with atomic_path(self.file("history.parquet")) as path:
            history.write_parquet(path)

    def predictions(self, split: str) -> Predictions:
        """What the model said about 'val', 'test', or the part of 'train' that was looked at."""
        return Predictions.load(self.file(f"predictions/{split}.npz"))

    def save_predictions(self, split: str, predictions: Predictions) -> None:
        """Write what the model said about a split."""
        predictions.save(self.file(f"predictions/{split}.npz"))

    def evidence(self) -> Evidence:
        """All findings so far, in the order in which they were made."""
        return Evidence.load(self.path / "evidence")

    def save_evidence(self, evidence: Evidence) -> None:
        """Add these findings to the folder, with the file of every image that they name."""
        with_files(evidence, self.file_names()).save(self.path / "evidence")

    def save_images(self, images: pl.DataFrame) -> None:
        """Write the table of images: what they were called, and the digests by which changes are seen."""
        with atomic_path(self.file(IMAGES)) as path:
            images.write_parquet(path)

    def images(self) -> pl.DataFrame | None:
        """The table of images; None in runs of earlier versions."""
        return pl.read_parquet(self.file(IMAGES)) if self.has(IMAGES) else None

    def file_names(self) -> pl.DataFrame:
        """One row (split, index, file) per image that has a name, whatever split its row ended in."""
        images = self.images()
        if images is None:
            return pl.DataFrame(schema={"split": pl.String, "index": pl.Int64, "file": pl.String})
        sources: dict[str, str] = self.read_json("data.json").get("sources", {})
        place = {name: sources.get(name, sources.get("train", "")) for name in ("train", "val", "test")}
        named = images.filter(pl.col("file").is_not_null()).select("source", "index", "file")
        frames = [
            named.filter(source=source).select(pl.lit(name).alias("split"), "index", "file")
            for name, source in place.items()
        ]
        return pl.concat(frames)

    def save_split_list(self, rows: pl.DataFrame) -> None:
        """Write `splits.csv`: which image is in which split, for programs that predict the held-out part."""
        with atomic_path(self.file(SPLIT_LIST)) as path:
            rows.write_csv(path)

    def save_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Write pictures under their paths in this folder."""
        for name, content in pictures.items():
            with atomic_path(self.file(name)) as path:
                path.write_bytes(content)

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        return self.read_json(METRICS)
