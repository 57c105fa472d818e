"""The commands that read a finished run, and the folder that holds what they need."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from faulty.kills import fresh
from faulty.runner import Runner
from faulty.study import write_study

RUN = ("run", "--config", "study0.yaml", "--out", "run")
REPORT = ("report", "run")
EXAMINE = (
    "examine", "--data", "arrays:rows0.npz", "--predictions", "predictions.npz", "--mva", "0",
    "--out", "examined",
)  # fmt: skip
AUDIT = ("audit", "arrays:rows0.npz", "--against", "run", "--offline", "--out", "audited")
# The commands that answer from a finished run.
READERS: Mapping[str, tuple[str, ...]] = {
    "check": ("check", "run", "--gate", "accuracy >= 0"),
    "predict": ("predict", "run", "new.png", "--json", "--maps", "maps"),
    "classify": ("classify", "run", "new.png", "--out", "classified.csv"),
    "export": ("export", "run", "--format", "torchscript", "--out", "model.pt", "--json"),
    "card": ("card", "run", "--out", "card.md"),
    "send": ("send", "run", "--to", "datalab", "--out", "sent"),
    "compare": ("compare", "run", "run", "--json"),
    "view": ("view", "run"),
    "audit": AUDIT,
}
MAKES: Mapping[str, tuple[str, ...]] = {
    "classify": ("classified.csv",), "send": ("sent/issues.csv",),
    "audit": ("audited/evidence/feature_drift.parquet",),
}  # fmt: skip


@dataclass(frozen=True)
class Folders:
    """Where attempts begin.

    Attributes:
        new: a folder with the data and the study, and an empty cache.
        done: the same with the finished run `run`, and with `other`, a run of other pictures.
    """

    new: Path
    done: Path


def make_folders(runner: Runner, place: Path) -> Folders:
    """Two folders to begin from; the second costs two studies."""
    new, done = place / "new", place / "done"
    (new / "cache").mkdir(parents=True)
    for seed in (0, 1):
        write_study(new, seed=seed)
    rng = np.random.default_rng(5)
    answers = {"probs": rng.dirichlet(np.ones(3), 40), "features": rng.normal(size=(40, 8))}
    np.savez(new / "predictions.npz", **answers)
    pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(new / "new.png")
    fresh(new, done)
    for seed, out in ((0, "run"), (1, "other")):
        ended = runner.run(done, "run", "--config", f"study{seed}.yaml", "--out", out)
        if ended.status != 0:
            raise RuntimeError(f"The study failed without a fault: {ended.stderr}")
    shutil.rmtree(done / "cache")
    (done / "cache").mkdir()
    return Folders(new, done)
