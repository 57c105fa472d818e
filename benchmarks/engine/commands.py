"""Whole commands of a release, each in its own process with an empty cache of features."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from turns import Row, timed, value_row

from deepsight.core.dataset import Dataset
from deepsight.obtain import load_dataset
from deepsight.obtain.cache import cache_folder
from deepsight.scrub.duplicates.find import find_duplicates

WRONG = 0.1  # share of the made predictions that are wrong


def made_predictions(file: Path, labels: np.ndarray, k: int) -> None:
    """Probabilities (n, k) that are right for nine images in ten."""
    rng = np.random.default_rng(0)
    wrong = rng.random(len(labels)) < WRONG
    answers = np.where(wrong, (labels + rng.integers(1, k, len(labels))) % k, labels)
    logits = rng.normal(size=(len(labels), k)) + 3 * np.eye(k)[answers]
    np.savez(file, probs=np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def examine_rows(rounds: int) -> Iterator[Row]:
    """Seconds of `deepsight examine` on predictions alone; features are made at 64 px."""
    test = load_dataset("cifar10").test
    with tempfile.TemporaryDirectory() as folder:
        made_predictions(Path(folder) / "made.npz", test.labels, test.k)
        command = [sys.executable, "-m", "deepsight", "examine", "--data", "cifar10", "--minutes", "0.25"]
        command += ["--predictions", str(Path(folder) / "made.npz")]
        seconds = []
        for number in range(rounds):
            cache = Path(folder) / f"cache{number}"
            shutil.copytree(cache_folder() / "cifar10", cache / "cifar10")
            environment = {**os.environ, "DEEPSIGHT_CACHE": str(cache)}
            out = ["--out", str(Path(folder) / f"out{number}")]
            run = partial(subprocess.run, [*command, *out], check=True, capture_output=True, env=environment)
            seconds.append(timed(run))
    yield value_row("examine", "64 px", "seconds", np.array(seconds), len(test))


def duplicates_rows(train: Dataset, images: int) -> Iterator[Row]:
    """Seconds of the search for near-duplicates among training images and all test images."""
    test = load_dataset("cifar10").test
    parts = {"train": train.select(np.arange(images)), "test": test}
    seconds = [timed(lambda: find_duplicates(parts, seed=0))]
    yield value_row("duplicates", f"{images + len(test):,}", "seconds", np.array(seconds), images + len(test))
