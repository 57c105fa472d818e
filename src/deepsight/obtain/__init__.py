"""Stage 1: data from ordered sources, with its integrity proved."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log, silent
from deepsight.obtain.cifar10 import load as cifar10
from deepsight.obtain.data_uri import TEST_SHARE, parse_address
from deepsight.obtain.decoding.crop import Fit
from deepsight.obtain.fit_choice import FitJudge
from deepsight.obtain.local_file import is_there, user_path
from deepsight.obtain.readers import folder, huggingface, keras_sets, npz, parquet, table, webdataset
from deepsight.obtain.readers.table_file import read_table_file
from deepsight.obtain.sources import Obtained, SourceError

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
    """The data set of this name.

    Args:
        name: "cifar10"; "folder:PATH" with one folder per class; "table:FILE" with a row per image;
            "hf:NAME_OR_PATH" through the `datasets` library; "arrays:FILE.npz"; "keras:NAME";
            "webdataset:PATTERN" and "parquet:PATTERN" for shards here or behind a URL. Options follow a
            question mark, as in "folder:PATH?side=96&fit=pad".
        data_dir: where the user's own copy of CIFAR-10 lies.
        resolution: the side in pixels that the study asks for; own images are stored at this side, unless
            they are smaller.
        fit: how pictures are brought into the stored shape: "crop", "pad", "squash" or "whole"; an option
            in `name` wins over it.
        judge: tells which images a model gets right when they are cropped, padded or kept whole; where no fit
            is given and much would be cut, it decides. Without it pictures are cropped.
        test_share: share of the images that is held out where the data has no test part, in (0, 1).
        offline: use nothing that needs the network.
        log: receives a sentence for each source that fails, for progress, for what is set aside and for what
            is not used.

    Raises:
        UsageError: there is no such data set, or an option is wrong.
        DeepSightError: the data could not be had, or cannot be studied.

    Example:
        >>> from deepsight import load_dataset
        >>> photos = load_dataset("folder:photos")
        >>> photos.train.classes, len(photos.train), len(photos.test)
        (('bird', 'cat'), 160, 40)
    """
    with as_stored(name):
        data_dir = None if data_dir is None else Path(data_dir)
        if name == "cifar10":
            own = None if data_dir is None else Path(data_dir)
            return cifar10.load_cifar10(data_dir=own, offline=offline, log=log)
        address = parse_address(name, SCHEMES).with_fit(fit, SCHEMES)
        address = replace(address, test_share=test_share)
        if address.scheme == "folder":
            return folder.load_folder(address, resolution=resolution, judge=judge, log=log)
        if address.scheme == "table":
            return table.load_table(address, resolution=resolution, offline=offline, judge=judge, log=log)
        if address.scheme == "arrays":
            return npz.load_npz(address, log=log)
        if address.scheme == "webdataset":
            return webdataset.load_webdataset(
                address, resolution=resolution, offline=offline, judge=judge, log=log
            )
        if address.scheme == "parquet":
            return parquet.load_parquet(address, resolution=resolution, offline=offline, judge=judge, log=log)
        if address.scheme == "keras":
            return keras_sets.load_keras_set(address, offline=offline, log=log)
        return huggingface.load_huggingface(
            address, resolution=resolution, offline=offline, judge=judge, log=log
        )


def require_data(name: str) -> None:
    """Refuse at once what `load_dataset` would refuse after seconds of other work.

    Raises:
        UsageError: no data set has such a name, or there is no such folder, table or file of arrays.
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
def as_stored(name: str) -> Iterator[None]:
    """Say so where what was stored in the cache cannot be read back."""
    try:
        yield
    except SourceError as error:
        raise DeepSightError(
            f"Expected the images of {name} as they were stored, but {error}. Run the command again; if the "
            "error stays, remove that folder."
        ) from error
