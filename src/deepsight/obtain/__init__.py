"""Stage 1: data from ordered sources, with its integrity proved."""

from pathlib import Path

from deepsight.core.progress import Log, silent
from deepsight.obtain import folder, huggingface, npz
from deepsight.obtain.cifar10 import load as cifar10
from deepsight.obtain.data_uri import parse_address
from deepsight.obtain.sources import Obtained

__all__ = ["Obtained", "load_dataset"]

SCHEMES = {"folder": folder.OPTIONS, "hf": huggingface.OPTIONS, "arrays": npz.OPTIONS}


def load_dataset(
    name: str,
    *,
    data_dir: str | Path | None = None,
    resolution: int | None = None,
    offline: bool = False,
    log: Log = silent,
) -> Obtained:
    """The data set of this name.

    Args:
        name: "cifar10"; "folder:PATH" with one folder a class; "hf:NAME_OR_PATH" through the `datasets`
            library; "arrays:FILE.npz". Options follow a question mark, as in "folder:PATH?side=96".
        data_dir: where the user's own copy of CIFAR-10 lies.
        resolution: the side in pixels that the study asks for; images of a folder or a hub are stored at
            this side, unless they are smaller.
        offline: use nothing that needs the network.
        log: receives a sentence for each source that fails, for progress and for what is set aside.

    Raises:
        UsageError: there is no such data set, or an option is wrong.
        DeepSightError: the data could not be had, or cannot be studied.

    Example:
        >>> from deepsight import load_dataset
        >>> photos = load_dataset("folder:photos")
        >>> photos.train.classes, len(photos.train), len(photos.test)
        (('bird', 'cat'), 160, 40)
    """
    data_dir = None if data_dir is None else Path(data_dir)
    if name == "cifar10":
        return cifar10.load_cifar10(data_dir=data_dir, offline=offline, log=log)
    address = parse_address(name, SCHEMES)
    if address.scheme == "folder":
        return folder.load_folder(address, resolution=resolution, log=log)
    if address.scheme == "arrays":
        return npz.load_npz(address, log=log)
    return huggingface.load_huggingface(address, resolution=resolution, offline=offline, log=log)
