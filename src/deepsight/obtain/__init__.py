"""Stage 1: load a data set from one of its sources and verify its integrity."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log, silent
from deepsight.obtain.cifar10 import load as cifar10
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import TEST_SHARE, DataAddress, parse_address
from deepsight.obtain.decoding.crop import Fit
from deepsight.obtain.local_file import is_there, user_path
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.readers import folder, huggingface, keras_sets, npz, parquet, webdataset
from deepsight.obtain.readers.tables import table
from deepsight.obtain.readers.tables.table_file import read_table_file
from deepsight.obtain.sources import SourceError

__all__ = ["Obtained", "load_dataset", "require_data"]

SCHEMES = {
    "folder": folder.OPTIONS,
    "table": table.OPTIONS,
    "hf": huggingface.OPTIONS,
    "arrays": npz.OPTIONS,
    "keras": keras_sets.OPTIONS,
    "webdataset": webdataset.OPTIONS,
    "parquet": parquet.OPTIONS,
}


def load_dataset(
    name: str,
    *,
    data_dir: str | Path | None = None,
    resolution: int | None = None,
    fit: Fit | None = None,
    judge: FitJudge | None = None,
    test_share: float = TEST_SHARE,
    offline: bool = False,
    log: Log = silent,
) -> Obtained:
    """The data set with this name.

    Args:
        name: "cifar10"; "folder:PATH" with one folder per class; "table:FILE" with one row per image;
            "hf:NAME_OR_PATH" through the `datasets` library; "arrays:FILE.npz"; "keras:NAME";
            "webdataset:PATTERN" or "parquet:PATTERN" for local or remote shards. Options follow a question
            mark, as in "folder:PATH?side=96&fit=pad".
        data_dir: a folder or archive with the user's own copy of CIFAR-10; for "cifar10" only.
        resolution: the side in pixels that the study needs; larger images are stored at this side.
        fit: how pictures are fitted to the stored shape: "crop", "pad", "squash" or "whole". An option in
            `name` takes precedence.
        judge: predicts which images a model classifies correctly when they are cropped, padded or kept whole.
            It decides where no fit is given and cropping would cut much; without it, pictures are cropped.
        test_share: share of the images held out where the data has no test part, in (0, 1).
        offline: use nothing that needs the network.
        log: receives progress, and a sentence for each source that fails and for files that are skipped.

    Raises:
        UsageError: there is no such data set, or an option is wrong.
        DeepSightError: the data cannot be loaded, or has too few classes or images.

    Example:
        >>> from deepsight import load_dataset
        >>> photos = load_dataset("folder:photos")
        >>> photos.train.classes, len(photos.train), len(photos.test)
        (('bird', 'cat'), 160, 40)
    """
    with source_errors_explained(name):
        if name == "cifar10":
            if fit is not None:
                raise UsageError("Expected no --fit for cifar10, whose images keep their size.")
            own = None if data_dir is None else Path(data_dir)
            return cifar10.load_cifar10(data_dir=own, offline=offline, log=log)
        if data_dir is not None:
            raise UsageError(
                f"Expected --data-dir only with cifar10, received it with '{name}', which has its own files."
            )
        address = replace(parse_address(name, SCHEMES).with_fit(fit, SCHEMES), test_share=test_share)
        return load_address(address, resolution=resolution, offline=offline, judge=judge, log=log)


def load_address(
    address: DataAddress, *, resolution: int | None, offline: bool, judge: FitJudge | None, log: Log
) -> Obtained:
    """The user's own data set at an address, by the reader of its scheme."""
    match address.scheme:
        case "folder":
            return folder.load_folder(address, resolution=resolution, judge=judge, log=log)
        case "arrays":
            return npz.load_npz(address, log=log)
        case "keras":
            return keras_sets.load_keras_set(address, offline=offline, log=log)
        case "table":
            return table.load_table(address, resolution=resolution, offline=offline, judge=judge, log=log)
        case "webdataset":
            return webdataset.load_webdataset(
                address, resolution=resolution, offline=offline, judge=judge, log=log
            )
        case "parquet":
            return parquet.load_parquet(address, resolution=resolution, offline=offline, judge=judge, log=log)
        case _:
            return huggingface.load_huggingface(
                address, resolution=resolution, offline=offline, judge=judge, log=log
            )


def require_data(name: str) -> None:
    """Refuse a wrong name at once, which `load_dataset` would refuse after seconds of other work.

    Raises:
        UsageError: no data set has this name, or there is no such folder, table or file of arrays.
    """
    if name == "cifar10":
        return
    address = parse_address(name, SCHEMES)
    if address.scheme == "folder":
        folder.folder_of(address)
    elif address.scheme == "arrays":
        npz.file_of(address)
    elif address.scheme == "table" and not is_there(user_path(address.place)):
        read_table_file(user_path(address.place).resolve())  # says what is wrong


@contextmanager
def source_errors_explained(name: str) -> Iterator[None]:
    """Turn an error about the cache into a message for the user."""
    try:
        yield
    except SourceError as error:
        raise DeepSightError(
            f"Expected the images of {name} as they were stored, but {error}. Run the command again; if the "
            "error remains, remove that folder."
        ) from error
