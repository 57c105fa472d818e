"""What all arms share: their arguments, their data and weights, their clock and the row that they print."""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from deepsight.core.dataset import Dataset
from deepsight.core.environment import processor
from deepsight.core.statistics.intervals import macro_f1
from deepsight.model import pretrained
from deepsight.model.pretrained import Pretrained
from deepsight.obtain import load_dataset

PACKAGES = ("torch", "timm", "numpy", "albumentations", "fastai")


@dataclass
class Clock:
    """Seconds since the process was started, without the time that was spent on looking at the score."""

    began: float
    looked: float = 0.0

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Time in here does not count, unless `count_last` says otherwise."""
        start = time.time()
        yield
        self.last = time.time() - start
        self.looked += self.last

    def count_last(self) -> None:
        """The last look was the score of the saved model: it counts after all."""
        self.looked -= self.last
        self.last = 0.0

    @property
    def seconds(self) -> float:
        return time.time() - self.began - self.looked


def arguments() -> argparse.Namespace:
    """The arguments that run.py gives to every arm; all times in seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--resolution", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--test-rows", type=int, required=True)
    parser.add_argument("--epochs", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--target", type=float, required=True)
    parser.add_argument("--limit-s", type=float, required=True)
    parser.add_argument("--began", type=float, required=True)
    return parser.parse_args()


def pretrained_of(args: argparse.Namespace) -> Pretrained:
    """The same weights for every arm; what a file lacks starts at random."""
    return pretrained.load_pretrained(args.backbone, args.weights, allow_partial=True)


def official(args: argparse.Namespace) -> tuple[Dataset, Dataset]:
    """CIFAR-10's training and test images in the official order; the test set cut only in the smoke."""
    got = load_dataset("cifar10")
    return got.train, got.test.select(range(args.test_rows))


def report(args: argparse.Namespace, arm: str, seconds: float, data: Dataset, predicted: Any) -> None:
    """Print the row of results.csv as the process's last line; without predictions there is no score."""
    score = float("nan") if predicted is None else round(macro_f1(data.labels, predicted, data.k), 4)
    row = {
        "arm": arm, "backbone": args.backbone, "resolution": args.resolution, "seed": args.seed,
        "target": args.target, "rows": args.rows, "seconds": round(seconds, 1),
        "macro_f1": score, "n_test": len(data),
        "peak_rss_mb": round(peak_mb()), "epochs": args.epochs,
        "load": round(os.getloadavg()[0], 1),
        "machine": f"{processor()}, {len(os.sched_getaffinity(0))} cores", "versions": versions(),
    }  # fmt: skip
    print(json.dumps(row), flush=True)


def peak_mb() -> float:
    """Peak resident memory of this program; unlike ru_maxrss it does not start at its parent's."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 1024


def versions() -> str:
    """Python and the packages that are there."""
    found = [f"python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
