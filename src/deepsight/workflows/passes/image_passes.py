"""Passes over all images that several commands share: measured properties and backbone features."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from deepsight.core.array_types import Floats32
from deepsight.core.dataset import Images
from deepsight.core.progress import Log, silent
from deepsight.core.recipe import PassPrecision, Recipe
from deepsight.interpret.slices.image_properties import UNITS, measured_properties
from deepsight.model.engine import settings_of_long_passes, using_settings
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import BLOCK
from deepsight.model.pretrained import load_pretrained
from deepsight.scrub.image_issues import luma_range
from deepsight.workflows.passes.block_passes import run_blocks
from deepsight.workflows.passes.block_work import Arrays, Work


@dataclass(frozen=True)
class ImagePasses:
    """Passes over images on the workers of an engine, with the answers in memory.

    Attributes:
        engine: "local", "ray" or "ray://HOST:PORT".
        kept: a path named after the images and everything else that the answers depend on; each pass keeps
            its finished blocks in a folder beside it.
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
        work = partial(open_features, images, load, side, precision_of_long_passes())
        found = run_blocks(
            work, len(images), block=BLOCK, engine=self.engine, kept=self.place("frozen"),
            name="images embedded", log=self.log,
        )  # fmt: skip
        return np.asarray(found["features"], dtype=np.float32)

    def place(self, what: str) -> Path:
        """The folder for the blocks of one pass."""
        return self.kept.with_name(f"{self.kept.name}-{what}")


def open_measures(images: Images) -> Work:
    """The work of a pass that measures the range of luma and the properties of images."""

    def measure(rows: slice) -> Arrays:
        pixels = np.asarray(images[rows], dtype=np.uint8)
        low, high = luma_range(pixels)
        return {"luma_low": low, "luma_high": high, **columns(measured_properties(pixels))}

    return measure


def columns(frame: pl.DataFrame) -> Arrays:
    """The columns of a numeric table as arrays."""
    return {name: frame[name].to_numpy() for name in frame.columns}


def precision_of_long_passes() -> PassPrecision:
    """The precision in which this process computes features; its workers, on any machine, get the same."""
    return settings_of_long_passes(torch.get_num_threads()).precision


def open_features(images: Images, load: Mapping[str, Any], side: int, precision: PassPrecision) -> Work:
    """The work of a pass that computes features with the pretrained backbone, loaded in this process.

    Args:
        images: all images of the pass.
        load: arguments of `load_pretrained`.
        side: of the network's input in pixels.
        precision: of the computation.
    """
    frozen, recipe = FrozenBackbone(load_pretrained(**load)), Recipe(resolution=side)
    settings = replace(settings_of_long_passes(torch.get_num_threads()), precision=precision)

    def answers(rows: slice) -> Arrays:
        with using_settings(settings):
            return {"features": frozen.features(np.asarray(images[rows], dtype=np.uint8), recipe)}

    return answers
