"""Passes that several commands make over all images: what can be measured on each, and its features."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats32
from deepsight.core.dataset import Images
from deepsight.core.progress import Log, silent
from deepsight.core.recipe import Recipe
from deepsight.interpret.slices.image_properties import UNITS, measured_properties
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import BLOCK
from deepsight.model.pretrained import load_pretrained
from deepsight.scrub.image_issues import luma_range
from deepsight.workflows.passes.block_passes import run_blocks
from deepsight.workflows.passes.work import Arrays, Work


@dataclass(frozen=True)
class ImagePasses:
    """Passes over images on the workers of an engine, with the answers in memory.

    Attributes:
        engine: "ray" or "ray://HOST:PORT"; "local" too.
        kept: named after the images and all else that the answers depend on; the finished blocks of each pass
            lie in a folder beside it.
        log: receives the progress.
    """

    engine: str
    kept: Path
    log: Log = silent

    def properties(self, images: Images) -> pl.DataFrame:
        """`measured_properties` of the images, one row per image."""
        found = run_blocks(
            partial(open_measures, images), len(images), block=BLOCK, engine=self.engine,
            kept=self.place("measures"), name="images measured", log=self.log,
        )  # fmt: skip
        return pl.DataFrame({name: found[name] for name in UNITS})

    def frozen_features(self, images: Images, load: Mapping[str, Any], side: int) -> Floats32:
        """Features (n, d) of the images by a backbone with its ImageNet weights; see `open_features`."""
        found = run_blocks(
            partial(open_features, images, load, side), len(images), block=BLOCK, engine=self.engine,
            kept=self.place("frozen"), name="images looked at", log=self.log,
        )  # fmt: skip
        return np.asarray(found["features"], dtype=np.float32)

    def place(self, what: str) -> Path:
        """Where the blocks of one pass are kept."""
        return self.kept.with_name(f"{self.kept.name}-{what}")


def open_measures(images: Images) -> Work:
    """Luma and properties of some images, from their pixels alone."""

    def measure(rows: slice) -> Arrays:
        pixels = np.asarray(images[rows], dtype=np.uint8)
        low, high = luma_range(pixels)
        return {"luma_low": low, "luma_high": high, **columns(measured_properties(pixels))}

    return measure


def columns(frame: pl.DataFrame) -> Arrays:
    """The columns of a table of numbers as arrays."""
    return {name: frame[name].to_numpy() for name in frame.columns}


def open_features(images: Images, load: Mapping[str, Any], side: int) -> Work:
    """Features of some images, by the backbone with its ImageNet weights, opened here.

    Args:
        images: all of them.
        load: what `load_pretrained` is called with.
        side: pixels of the network's input.
    """
    frozen, recipe = FrozenBackbone(load_pretrained(**load)), Recipe(resolution=side)
    return lambda rows: {"features": frozen.features(np.asarray(images[rows], dtype=np.uint8), recipe)}
