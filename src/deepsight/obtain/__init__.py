"""Stage 1: data from ordered sources, with its integrity proved."""

from pathlib import Path

from deepsight.obtain import arrays, cifar, folder, hub
from deepsight.obtain.address import parse
from deepsight.obtain.sources import Notify, Obtained, silent

__all__ = ["Obtained", "load"]

SCHEMES = {"folder": folder.OPTIONS, "hf": hub.OPTIONS, "arrays": arrays.OPTIONS}


def load(
    name: str,
    *,
    data_dir: Path | None = None,
    resolution: int | None = None,
    offline: bool = False,
    notify: Notify = silent,
) -> Obtained:
    """The data set of this name.

    Args:
        name: "cifar10"; "folder:PATH" with one folder a class; "hf:NAME_OR_PATH" through the `datasets`
            library; "arrays:FILE.npz". Options follow a question mark, as in "folder:PATH?side=96".
        data_dir: where the user's own copy of CIFAR-10 lies.
        resolution: the side in pixels that the study asks for; images of a folder or a hub are stored at
            this side, unless they are smaller.
        offline: use nothing that needs the network.
        notify: shown a sentence for each source that fails, for progress and for what is set aside.

    Raises:
        UsageError: there is no such data set, or an option is wrong.
        DeepSightError: the data could not be had, or cannot be studied.
    """
    if name == "cifar10":
        return cifar.load(data_dir=data_dir, offline=offline, notify=notify)
    address = parse(name, SCHEMES)
    if address.scheme == "folder":
        return folder.load(address, resolution=resolution, notify=notify)
    if address.scheme == "arrays":
        return arrays.load(address, notify=notify)
    return hub.load(address, resolution=resolution, offline=offline, notify=notify)
