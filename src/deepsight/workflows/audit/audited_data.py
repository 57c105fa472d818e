"""The images of an audit: any data set that a study accepts, or a folder without labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepsight.config import StudyConfig, as_path
from deepsight.core.array_types import Floats, Ints
from deepsight.core.dataset import Dataset, join_datasets
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.groups import joined_groups
from deepsight.core.progress import Log
from deepsight.obtain import SCHEMES, load_dataset
from deepsight.obtain.data_uri import meant_address, parse_address
from deepsight.obtain.decoding.crop import Fit, Shape
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.readers.class_folders import class_folders
from deepsight.obtain.readers.tables.table_file import SUFFIXES
from deepsight.obtain.readers.unlabelled import load_unlabelled
from deepsight.obtain.skipped_items import PassedOver
from deepsight.workflows.cleaned_data import base_folder


@dataclass(frozen=True)
class AuditedData:
    """The audited data set.

    Attributes:
        parts: the images by split; only "all" if the data has no splits of its own.
        labelled: whether the labels are real; otherwise they are placeholders.
        record: the content of `data.json`.
        base: the folder below which the images are files; None if they are not files.
        taken: time of exposure (n,) by split, in seconds; NaN where unknown.
    """

    parts: Mapping[str, Dataset]
    labelled: bool
    record: Mapping[str, Any]
    base: Path | None = None
    taken: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts.values())

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names; two placeholders if there are no labels."""
        return next(iter(self.parts.values())).classes

    @property
    def labels(self) -> Ints:
        """The given labels of all images, split after split."""
        return np.concatenate([part.labels for part in self.parts.values()])

    @property
    def groups(self) -> Ints | None:
        """The group of each image, split after split; None unless some part has groups."""
        parts = list(self.parts.values())
        return joined_groups([part.groups for part in parts], [len(part) for part in parts])

    @property
    def keys(self) -> pl.DataFrame:
        """Columns split and index, one row per image."""
        return pl.concat(
            [
                pl.DataFrame({"split": [name] * len(part), "index": part.ids}, schema=KEYS)
                for name, part in self.parts.items()
            ]
        )

    @property
    def files(self) -> list[str] | None:
        """The file names of all images; None if images have no names."""
        parts = list(self.parts.values())
        if any(part.files is None for part in parts):
            return None
        return [str(file) for part in parts if part.files is not None for file in part.files]


KEYS: dict[str, Any] = {"split": pl.String, "index": pl.Int64}


def data_name(data: str) -> str:
    """The name with a scheme of a data set that is given by name, or as the path of a folder or file.

    Raises:
        UsageError: it is neither.
    """
    path = Path(data).expanduser()
    if data == "cifar10" or (data.partition(":")[0] in SCHEMES and not path.exists()):
        return data
    if path.is_dir():
        return f"folder:{data}"
    if path.suffix.lower() in (".npz", ".npy"):
        return f"arrays:{data}"
    if path.suffix.lower() in SUFFIXES:
        return f"table:{data}"
    if ":" in data:
        return data  # an unknown scheme; loading it raises an error that lists the known ones
    remedy = f" {meant[0].upper()}{meant[1:]}" if (meant := meant_address(data)) else ""
    raise UsageError(f"Expected a folder, a table, or a data set such as hf:NAME, received '{data}'.{remedy}")


def open_audited(
    study: StudyConfig, *, shape: Shape | None = None, unlabelled: bool = False, log: Log
) -> AuditedData:
    """The images that the study names.

    Args:
        study: only `data`, `data_dir`, `fit` and `offline` are used.
        shape: height and width to store images in, as in a run to compare with; None chooses them.
        unlabelled: take no labels from folder names.
        log: receives progress and warnings.

    Raises:
        UsageError: `unlabelled` is set for data that is not a folder.
        DeepSightError: the data cannot be loaded.
    """
    folder = plain_folder(study.data)
    if folder is not None and (unlabelled or not has_classes(folder)):
        return unlabelled_data(folder, study.fit or "crop", shape, log)
    if unlabelled:
        raise UsageError(f"Expected a folder for --unlabelled, received '{study.data}'.")
    name = study.data if shape is None else with_side(study.data, min(shape))
    fit = study.fit if shape is None or takes("fit", study.data) else None
    got = load_dataset(name, data_dir=as_path(study.data_dir), fit=fit, offline=study.offline, log=log)
    parts = own_parts(got)
    taken = {
        name: got.taken[part.source][part.ids] for name, part in parts.items() if part.source in got.taken
    }
    return AuditedData(parts, True, got.record, base_folder(study.data), taken)


def plain_folder(data: str) -> Path | None:
    """The folder of a `folder:` data set, else None."""
    return base_folder(data) if data.partition(":")[0] == "folder" else None


def has_classes(folder: Path) -> bool:
    """Whether a folder holds at least two class folders, with or without folders for the splits.

    Raises:
        UsageError: there is no such folder, or its layout is ambiguous.
    """
    if not folder.is_dir():
        raise UsageError(f"Expected a folder, found none in {folder}.")
    try:
        return len(class_folders(folder, PassedOver()).classes) >= 2
    except UsageError:
        raise
    except DeepSightError:
        return False


def unlabelled_data(folder: Path, fit: Fit, shape: Shape | None, log: Log) -> AuditedData:
    """The images of a folder without labels."""
    found = load_unlabelled(folder, shape=shape, fit=fit, log=log)
    part, decoded = found.data, found.decoded
    record = {
        "data": f"folder:{found.root}", "source": f"folder:{found.root}",
        "sha256_of_pixels": {"all": decoded.sha256}, "counts": {"all": len(part)},
        "image_shape": list(part.images.shape[1:]), "classes": [], "bit_depths": dict(decoded.tops),
        "passed_over": list(found.passed_over), "quarantined": list(decoded.quarantined),
    }  # fmt: skip
    return AuditedData({"all": part}, False, record, found.root, {"all": decoded.taken})


def with_side(data: str, side: int) -> str:
    """The name of the data set with the option side, if it accepts one and has none yet."""
    if not takes("side", data):
        return data
    options = parse_address(data, SCHEMES).options
    return data if "side" in options else f"{data}{'&' if options else '?'}side={side}"


def takes(option: str, data: str) -> bool:
    """Whether a data set of this scheme accepts an option."""
    return option in SCHEMES.get(data.partition(":")[0], ())


def own_parts(got: Obtained) -> dict[str, Dataset]:
    """The data's own parts; a test part that the loader held out is joined to the rest again."""
    parts = got.named()
    if not got.record.get("held_out_test"):
        return parts
    whole = join_datasets([got.train, got.test], "all")
    if got.validation is None:
        return {"all": whole}
    return {"train": whole, "val": got.validation}
