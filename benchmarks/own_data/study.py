"""Does a whole study of 500,000 images of 64 pixels stay under 3 GB? One command, one figure.

    python benchmarks/own_data/study.py [--images 500000] [--rows 5000] [--folder FOLDER] [--smoke]

Writes an .npz of generated images (independent clouds in a tint of their class, so that there is something
to learn and no image is a twin of another), runs `deepsight run` on it with an empty cache in a process
of its own, and notes the peak of the process: all of it (VmHWM), and the part that is not backed by files
(RssAnon, sampled twice a second). Needs about 13 GB of disk at 500,000 images, which are freed at the end.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.recipe import Recipe

SIDE, CLASSES, BLOCK = 64, 10, 2_000


def images(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Independent clouds of 16 x 16 cells in a tint of the class, (b, 64, 64, 3): no two are alike."""
    b, angle = len(labels), 2 * np.pi * labels / CLASSES
    tint = np.stack([np.cos(angle + shift) for shift in (0, 2.1, 4.2)], axis=1) * 30 + 128
    cells = tint[:, None, None] + rng.normal(0, 50, (b, 16, 16, 3))
    return cells.clip(0, 255).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)


def blocks(labels: NDArray[np.int64]) -> Iterator[bytes]:
    """The pixels of all images, some megabytes at a time."""
    rng = np.random.default_rng(0)
    for start in range(0, len(labels), BLOCK):
        yield images(labels[start : start + BLOCK], rng).tobytes()


def write_set(path: Path, n: int) -> None:
    """An uncompressed .npz of n images and labels, in a stream."""
    labels = np.random.default_rng(1).integers(0, CLASSES, n)
    about = {"descr": "|u1", "fortran_order": False, "shape": (n, SIDE, SIDE, 3)}
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, about)
            for content in blocks(labels):
                file.write(content)
        with archive.open("labels.npy", "w") as file:
            np.lib.format.write_array(file, labels)


def anonymous_mb(process: int) -> float:
    """Memory of a process that no file backs; 0 once it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) / 1e3
    except (OSError, IndexError):
        return 0.0


def write_config(path: Path, data: Path, rows: int) -> None:
    """A study with its plan, so that the memory does not depend on how busy the machine is."""
    plan = StudyPlan(
        backbone="tf_efficientnet_lite0", train_rows=rows, recipe=Recipe(resolution=SIDE, epochs=1, views=1),
        degradation_images=100, context_objects=50, faithfulness_images=30,
    )  # fmt: skip
    study = StudyConfig(data=f"arrays:{data}", resolution=SIDE, mva=0, offline=True, plan=plan)
    path.write_text(yaml.safe_dump(study.stored()))


def study(data: Path, folder: Path, rows: int) -> dict[str, float]:
    """Seconds and peak memory of `deepsight run`, and what its metrics say."""
    out, config = folder / "run", folder / "study.yaml"
    write_config(config, data, rows)
    command = [sys.executable, "-m", "deepsight", "run", "--config", str(config), "--out", str(out)]
    environment = {**os.environ, "DEEPSIGHT_CACHE": str(folder / "cache")}
    began, peak = time.perf_counter(), 0.0
    running = subprocess.Popen(command, env=environment)
    while running.poll() is None:
        peak = max(peak, anonymous_mb(running.pid))
        time.sleep(0.5)
    if running.returncode:
        raise SystemExit(f"deepsight run ended with {running.returncode}")
    metrics = json.loads((out / "metrics.json").read_text())
    return {
        "train_rows": rows, "seconds": round(time.perf_counter() - began), "rss_mb": metrics["peak_rss_mb"],
        "anonymous_mb": round(peak), "n_test": metrics["n_test"], "macro_f1": round(metrics["macro_f1"], 4),
        **{f"{name}_s": value for name, value in metrics["seconds"].items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500_000)
    parser.add_argument("--rows", type=int, default=5_000, help="training images that are used")
    parser.add_argument(
        "--folder", type=Path, help="a disk with room; the system's temporary folder unless given"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="3,000 images, of which 1,000 train; writes no file"
    )
    arguments = parser.parse_args()
    n, rows = (3_000, 1_000) if arguments.smoke else (arguments.images, arguments.rows)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        data = Path(place) / "generated.npz"
        write_set(data, n)
        row = {
            "images": n,
            "megabytes": round(data.stat().st_size / 1e6),
            **study(data, Path(place), rows),
        }
    print(row)
    if not arguments.smoke:
        with (Path(__file__).parent / "study.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerow(row)


if __name__ == "__main__":
    main()
