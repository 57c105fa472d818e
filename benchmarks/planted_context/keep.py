"""Models and images on disk, for the peers, whose packages live in an environment of their own."""

from pathlib import Path

import numpy as np
from frozen import Floats
from worlds import Planted, aligned_share

from deepsight.interpret.background.grabcut import Masks
from deepsight.model.training.linear_probe import LinearProbe


def name_of(world: str, cue: str, rho: float, what: str) -> str:
    """The file of a model (its number) or of the images ("data")."""
    return f"{world}_{cue.replace(' ', '-')}_{rho:.3f}_{what}.npz"


def keep_data(
    store: Path, world: str, cue: str, rho: float, *, audited: Planted, trained: Planted, masks: Masks
) -> None:
    """Audit images with accepted masks, and training images, both at this alignment."""
    rng = np.random.default_rng(0)
    audit = audited.mixed(aligned_share(rho, len(audited.labels), rng)).select(masks.accepted)
    train = trained.mixed(aligned_share(rho, len(trained.labels), rng))
    np.savez_compressed(
        store / name_of(world, cue, rho, "data"),
        images=audit.images,
        labels=audit.labels,
        inside=np.packbits(masks.inside[masks.accepted]),
        train_images=train.images,
        train_labels=train.labels,
    )


def keep_head(store: Path, row: dict[str, object], head: LinearProbe, basis: Floats) -> None:
    """A head as weight and bias on the backbone's own features."""
    name = name_of(str(row["world"]), str(row["cue"]), float(str(row["rho"])), str(row["model"]))
    weight = (head.weight @ basis.T).astype(np.float32)
    np.savez(store / name, weight=weight, bias=head.bias.astype(np.float32))
