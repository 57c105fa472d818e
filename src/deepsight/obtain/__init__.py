"""Stage 1: data from ordered sources, with its integrity proved."""

from pathlib import Path

from deepsight.core.errors import UsageError, near_names
from deepsight.obtain import cifar
from deepsight.obtain.sources import Notify, Obtained, silent

__all__ = ["Obtained", "load"]


def load(
    name: str, *, data_dir: Path | None = None, offline: bool = False, notify: Notify = silent
) -> Obtained:
    """The data set of this name.

    Args:
        name: "cifar10".
        data_dir: where the user's own copy of a published data set lies.
        offline: use no source that needs the network.
        notify: shown a sentence for each source that fails and for the one that is used.

    Raises:
        UsageError: there is no such data set.
        DeepSightError: no source gave it.
    """
    if name == "cifar10":
        return cifar.load(data_dir=data_dir, offline=offline, notify=notify)
    raise UsageError(f"Expected the name of a data set, received '{name}'; {near_names(name, ['cifar10'])}")
