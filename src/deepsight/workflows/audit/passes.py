"""The passes of an audit over all images: what can be measured on each, and its features."""

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
from deepsight.workflows.passes.image_passes import open_features, open_measures
from deepsight.workflows.passes.work import kept_folder

SIDE = 64  # pixels of the network's input: a minute for 10,000 images on two cores
BLOCK = 1024  # images in memory at a time


@dataclass(frozen=True)
class AuditPasses:
    """How the passes of an audit are carried out: where, and where their finished blocks are kept.

    Attributes:
        engine: "local", "ray" or "ray://HOST:PORT".
        kept: names the data in the cache, so that an audit that is stopped goes on; one folder per pass
            beside it.
        log: receives the progress.
    """

    kept: Path
    engine: str = LOCAL
    log: Log = silent

    @staticmethod
    def of(data: AuditedData, study: StudyConfig, engine: str, log: Log) -> "AuditPasses":
        """The passes over these images under these settings."""
        known = [data.record.get(name) for name in ("data", "digests", "sha256_of_pixels", "image_shape")]
        weights = Path(study.weights)
        marks = study.backbone, study.weights, file_stamp(weights), study.allow_partial
        return AuditPasses(kept_folder("audit", known, list(data.parts), marks), engine, log)

    def place(self, what: str) -> Path:
        """Where the blocks of one pass are kept."""
        return self.kept.with_name(f"{self.kept.name}-{what}")

    def measures(self, data: AuditedData) -> tuple[tuple[Floats, Floats], pl.DataFrame]:
        """The ends of the luma (n,) twice, and the properties of all images, split after split."""
        found = run_blocks(
            partial(open_measures, joined_images(data)), len(data), block=BLOCK, engine=self.engine,
            kept=self.place("measures"), name="images measured", log=self.log,
        )  # fmt: skip
        ends = found["luma_low"], found["luma_high"]
        return ends, pl.DataFrame({name: found[name] for name in UNITS})

    def features(self, data: AuditedData, study: StudyConfig) -> np.ndarray:
        """The features (n, d) of all images, split after split, memory-mapped; see `open_features`.

        Raises:
            DeepSightError: the weights cannot be had.
        """
        load = pretrained_options(study)
        pretrained = load_pretrained(**load, log=self.log)  # refused here, before any worker starts
        work = partial(open_features, joined_images(data), load, pretrained.side or SIDE)
        found = map_blocks(
            work, len(data), block=BLOCK, engine=self.engine, kept=self.place("features"),
            name="images looked at", log=self.log,
        )  # fmt: skip
        return found["features"]

    def forget(self) -> None:
        """Remove what the passes left in the cache, once the audit is written."""
        for what in ("measures", "features"):
            forget_blocks(self.place(what))


def joined_images(data: AuditedData) -> Images:
    """The images of all splits, one after the other."""
    parts = [part.images for part in data.parts.values()]
    return parts[0] if len(parts) == 1 else JoinedImages(parts)


def pretrained_options(study: StudyConfig) -> dict[str, Any]:
    """What `load_pretrained` takes from a study; every worker opens the backbone with it."""
    return {
        "backbone": study.backbone, "weights": study.weights, "allow_partial": study.allow_partial,
        "offline": study.offline,
    }  # fmt: skip
