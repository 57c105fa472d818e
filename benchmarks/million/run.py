"""Do a million images with 512 features each pass through duplicates and label errors in bounded memory?

    python benchmarks/million/run.py [--images 1000000] [--parts duplicates labels] [--smoke]

Writes generated images (16 pixels, clouds in a tint of their class) and features (512 numbers, float16,
around one centre per class), both memory-mapped, with 1 in 1,000 images a moved, mirrored or darker copy of
another and 1 in 50 labels wrong. Each part runs in a process of its own; its peak is the memory that no file
backs (RssAnon).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measured import measured

from deepsight.core.dataset import Dataset
from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.label_sources import ExaminedSplit, gather_label_sources
from deepsight.scrub.duplicates import find

HERE = Path(__file__).parent
SIDE, D, K, BLOCK, NAMES = 16, 512, 10, 10_000, tuple("0123456789")
COPY_OF, WRONG = 1000, 0.02  # one copy in so many images; share of wrong labels
PARTS = ("duplicates", "labels")


def write_set(folder: Path, n: int) -> None:
    """Images, features, labels and which of them are wrong; copies stand at the end."""
    rng = np.random.default_rng(0)
    true = rng.integers(K, size=n)
    copies = max(1, n // COPY_OF)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (n, SIDE, SIDE, 3))
    features = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float16, (n, D))
    centres = rng.normal(0, 0.15, (K, D))
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        images[rows] = clouds(true[rows], rng)
        features[rows] = centres[true[rows]] + rng.normal(size=(len(true[rows]), D))
    originals = rng.permutation(n - copies)[:copies]
    images[n - copies :] = copied(images[originals])
    true[n - copies :] = true[originals]
    wrong = rng.random(n) < WRONG
    given = np.where(wrong, (true + rng.integers(1, K, n)) % K, true)
    np.savez(folder / "truth.npz", given=given, wrong=wrong, originals=originals)


def clouds(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Independent clouds of 8 × 8 cells in a tint of the class, (b, 16, 16, 3)."""
    angle = 2 * np.pi * labels / K
    tint = np.stack([np.cos(angle + shift) for shift in (0, 2.1, 4.2)], axis=1) * 30 + 128
    cells = tint[:, None, None] + rng.normal(0, 50, (len(labels), 8, 8, 3))
    return cells.clip(0, 255).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)


def copied(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every third moved by a pixel, mirrored, darker."""
    made = images.copy()
    made[::3] = np.roll(images[::3], 1, axis=2)
    made[1::3] = images[1::3, :, ::-1]
    made[2::3] = (images[2::3] * 0.8).astype(np.uint8)
    return made


def of_duplicates(folder: Path) -> dict[str, float]:
    """The planted copies among the flagged pairs."""
    images, truth = np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "truth.npz")
    n, originals = len(images), truth["originals"]
    data = Dataset(images, truth["given"], NAMES, np.arange(n), "train")
    features = {"train": np.load(folder / "features.npy", mmap_mode="r")}
    table = find.find_duplicates({"train": data}, features=features, seed=0)
    found = set(table.frame.filter("flagged").select("index_a", "index_b").rows())
    planted = set(zip(originals.tolist(), range(n - len(originals), n), strict=True))
    hits = len(found & planted)
    return {"found": len(found), "recall": hits / len(planted), "precision": hits / max(1, len(found))}


def of_labels(folder: Path) -> dict[str, float]:
    """The planted wrong labels among the flagged."""
    features, truth = np.load(folder / "features.npy", mmap_mode="r"), np.load(folder / "truth.npz")
    part = ExaminedSplit(np.arange(len(features)), truth["given"], features=features)
    tables = label_error_tables(gather_label_sources({"train": part}, K, seed=0), NAMES)
    frame = tables["label_errors"].frame.filter("flagged")
    wrong = truth["wrong"]
    hits = int(wrong[frame["index"].to_numpy()].sum())
    return {
        "found": len(frame), "recall": hits / int(wrong.sum()), "precision": hits / max(1, len(frame)),
    }  # fmt: skip


def carried_out(part: str, folder: Path) -> dict[str, float]:
    """What a part found, to four digits."""
    found = (of_duplicates if part == "duplicates" else of_labels)(folder)
    return {name: round(value, 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--folder", type=Path, help="a disk with 2 GB of room; else the system's temporary")
    parser.add_argument("--smoke", action="store_true", help="3,000 images; writes no file")
    parser.add_argument("--within", type=Path, help=argparse.SUPPRESS)  # the folder of the set, in a part
    arguments = parser.parse_args()
    if arguments.within:
        print(json.dumps(measured(partial(carried_out, arguments.parts[0], arguments.within))))
        return
    n = 3_000 if arguments.smoke else arguments.images
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        write_set(Path(folder), n)
        for part in arguments.parts:
            command = [sys.executable, __file__, "--parts", part, "--within", folder]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rows.append({"part": part, "images": n} | json.loads(said.splitlines()[-1]))
            print(rows[-1], flush=True)
    if not arguments.smoke:
        write(rows)


def write(rows: list[dict[str, object]]) -> None:
    """Put these rows in the place of those of the same part and size in results.csv."""
    path, frame = HERE / "results.csv", pl.DataFrame(rows)
    if path.exists():
        frame = pl.concat([pl.read_csv(path), frame], how="vertical_relaxed")
    frame.unique(["part", "images"], keep="last", maintain_order=True).write_csv(path)


if __name__ == "__main__":
    main()
