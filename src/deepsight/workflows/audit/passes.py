"""The passes of an audit over all images: measured properties and backbone features."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepsight.config import StudyConfig
from deepsight.core.array_types import Floats
from deepsight.core.dataset import Images, JoinedImages
from deepsight.core.progress import Log, silent
from deepsight.interpret.slices.image_properties import UNITS
from deepsight.model.pretrained import load_pretrained
from deepsight.obtain.cache import file_stamp
from deepsight.workflows.audit.audited_data import AuditedData
from deepsight.workflows.passes.block_passes import LOCAL, forget_blocks, map_blocks, run_blocks
from deepsight.workflows.passes.block_work import data_marks, kept_folder
from deepsight.workflows.passes.image_passes import open_features, open_measures, precision_of_long_passes

SIDE = 64  # pixels of the network's input: a minute for 10,000 images on two cores
BLOCK = 1024  # images in memory at a time


@dataclass(frozen=True)
class AuditPasses:
    """Carries out the passes of an audit and keeps their finished blocks, so that it can be resumed.

    Attributes:
        kept: a path in the cache named after the data; each pass keeps its blocks in a folder beside it.
        engine: "local", "ray" or "ray://HOST:PORT".
        log: receives the progress.
    """

    kept: Path
    engine: str = LOCAL
    log: Log = silent

    @staticmethod
    def of(data: AuditedData, study: StudyConfig, engine: str, log: Log) -> "AuditPasses":
        """The passes over these images under these settings."""
        weights = Path(study.weights)
        settings = study.backbone, study.weights, file_stamp(weights), study.allow_partial
        marks = *settings, precision_of_long_passes()
        kept = kept_folder("audit", data_marks(data.record), list(data.parts), marks)
        return AuditPasses(kept, engine, log)

    def place(self, what: str) -> Path:
        """Where the blocks of one pass are kept."""
        return self.kept.with_name(f"{self.kept.name}-{what}")

    def measures(self, data: AuditedData) -> tuple[tuple[Floats, Floats], pl.DataFrame]:
        """Lowest and highest luma (n,) and the properties of all images, split after split."""
        found = run_blocks(
            partial(open_measures, joined_images(data)), len(data), block=BLOCK, engine=self.engine,
            kept=self.place("measures"), name="images measured", log=self.log,
        )  # fmt: skip
        ends = found["luma_low"], found["luma_high"]
        return ends, pl.DataFrame({name: found[name] for name in UNITS})

    def features(self, data: AuditedData, study: StudyConfig) -> np.ndarray:
        """The features (n, d) of all images, split after split, memory-mapped; see `open_features`.

        Raises:
            DeepSightError: the weights are not available.
        """
        load = pretrained_options(study)
        pretrained = load_pretrained(**load, log=self.log)  # fails here, before any worker starts
        side, precision = pretrained.side or SIDE, precision_of_long_passes()
        work = partial(open_features, joined_images(data), load, side, precision)
        found = map_blocks(
            work, len(data), block=BLOCK, engine=self.engine, kept=self.place("features"),
            name="images embedded", log=self.log,
        )  # fmt: skip
        return found["features"]

    def forget(self) -> None:
        """Remove the passes' blocks from the cache, once the audit is written."""
        for what in ("measures", "features"):
            forget_blocks(self.place(what))


def joined_images(data: AuditedData) -> Images:
    """The images of all splits, one after the other."""
    parts = [part.images for part in data.parts.values()]
    return parts[0] if len(parts) == 1 else JoinedImages(parts)


def pretrained_options(study: StudyConfig) -> dict[str, Any]:
    """The arguments of `load_pretrained`, with which every worker opens the backbone."""
    return {
        "backbone": study.backbone, "weights": study.weights, "allow_partial": study.allow_partial,
        "offline": study.offline,
    }  # fmt: skip
