"""Models and images on disk, for the peers, whose packages live in an environment of their own."""

from pathlib import Path

import numpy as np
from frozen import Head
from worlds import Part

from deepsight.interpret.masks import Masks


def name_of(world: str, cue: str, rho: float, what: str) -> str:
    """The file of a model (its number) or of the images (\"data\")."""
    return f"{world}_{cue.replace(' ', '-')}_{rho:.3f}_{what}.npz"


def keep_data(path: Path, audit: Part, masks: Masks, train: Part) -> None:
    """Audit images with accepted masks, and the training images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        images=audit.images[masks.accepted],
        labels=audit.labels[masks.accepted],
        inside=np.packbits(masks.inside[masks.accepted]),
        train_images=train.images,
        train_labels=train.labels,
    )


def keep_head(folder: Path, row: dict[str, object], head: Head) -> None:
    """A head as weight and bias."""
    weight, bias = head.linear()
    name = name_of(str(row["world"]), str(row["cue"]), float(str(row["rho"])), str(row["model"]))
    np.savez(folder / name, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
