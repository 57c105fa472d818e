"""Cleaned data sets: a data set after decisions, as a table of paths or as arrays, to be studied again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import polars as pl

from deepsight.config import StudyConfig
from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.files.atomic import atomic_path, write_npz
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.obtain import SCHEMES
from deepsight.obtain.data_uri import parse_address
from deepsight.obtain.local_file import user_path
from deepsight.workflows.exchange.new_labels import NewLabel

TABLE, ARRAYS = "cleaned.csv", "cleaned.npz"
ROLES = ("path", "label", "split")
Parts = dict[str, Dataset]


def write_cleaned(folder: Path, parts: Parts, base: Path | None, new: Sequence[NewLabel] = ()) -> str:
    """Write the table or the arrays.

    Returns:
        Their name for `--data`.

    Raises:
        UsageError: there are new pictures, but the images of the run are arrays.
    """
    if base is not None and all(file_names_of(part) is not None for part in parts.values()):
        target = folder / TABLE
        with atomic_path(target) as path:
            guarded_frame(cleaned_table(parts, base, new)).write_csv(path)
        return f"table:{target}"
    if new:
        raise UsageError("Expected a run on image files to add pictures to, but its images are arrays.")
    target = folder / ARRAYS
    write_npz(target, **cleaned_arrays(parts))
    return f"arrays:{target}"


def base_folder(data: str) -> Path | None:
    """The folder below which the images of this data set are files; None if they are not files."""
    if data.partition(":")[0] not in ("folder", "table"):
        return None
    address = parse_address(data, SCHEMES)
    path = user_path(address.place).resolve()
    return path if address.scheme == "folder" else path.parent


def kept_options(study: StudyConfig) -> str:
    """The options that set the shape of the images (side, fit), as a query; empty without files."""
    query = study.data.rpartition("?")[2] if "?" in study.data else ""
    options = {name: value for name, value in parse_qsl(query) if name in ("side", "fit")}
    if study.fit is not None:
        options.setdefault("fit", study.fit)
    files = study.data.partition(":")[0] in ("folder", "table")
    return f"?{urlencode(options)}" if options and files else ""


def file_names_of(part: Dataset) -> list[str] | None:
    """The file of each image; None where images have no names."""
    files = getattr(part, "files", None)
    return None if files is None else [str(name) for name in files]


def cleaned_table(parts: Parts, base: Path, new: Sequence[NewLabel] = ()) -> pl.DataFrame:
    """One row per image: path, label, split, group and metadata; new pictures come last, in train."""
    frames = [rows_of_part(split, part, base) for split, part in parts.items()]
    added = [(str(Path(one.path).resolve()), one.label, "train") for one in new]
    frames.append(pl.DataFrame(added, schema=dict.fromkeys(ROLES, pl.String), orient="row"))
    return pl.concat(frames, how="diagonal_relaxed")


def rows_of_part(split: str, part: Dataset, base: Path) -> pl.DataFrame:
    """One row per image of a part. Groups are numbers; metadata of a name that has a role here is renamed."""
    names = file_names_of(part) or []
    columns: dict[str, Any] = {
        "path": [name if "://" in name else str(base / name) for name in names],
        "label": [part.classes[label] for label in part.labels],
        "split": [split] * len(names),
    }
    if part.groups is not None:
        columns["group"] = part.groups
    frame = pl.DataFrame(columns, schema_overrides=dict.fromkeys(ROLES, pl.String))
    if part.metadata is None:
        return frame
    taken = {name: f"{name}_before" for name in part.metadata.columns if name.lower() in (*ROLES, "group")}
    return pl.concat([frame, part.metadata.rename(taken)], how="horizontal")


def cleaned_arrays(parts: Parts) -> dict[str, np.ndarray]:
    """The arrays under the names that `arrays:` reads."""
    prefix = {"train": "", "val": "val_", "test": "test_"}
    arrays: dict[str, np.ndarray] = {"classes": np.array(parts["train"].classes)}
    for name, part in parts.items():
        arrays[f"{prefix[name]}images"] = part.pixels()
        arrays[f"{prefix[name]}labels"] = part.labels
    return arrays
