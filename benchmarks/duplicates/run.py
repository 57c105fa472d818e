"""How well do DeepSight, imagehash and cleanvision find near-duplicates? Prints the README's tables.

python benchmarks/duplicates/run.py --peers .peers/bin/python     # --smoke: a tenth of the images
"""

import argparse
import csv
import resource
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from plant import KINDS
from sklearn.metrics import average_precision_score, precision_recall_curve

from deepsight.core.dataset import Dataset
from deepsight.obtain.cifar10.load import load_cifar10
from deepsight.scrub.duplicates.find import find_duplicates, repeated_rows

Scores = NDArray[np.float64]

HERE = Path(__file__).parent
PUBLISHED = HERE.parents[2] / "shared" / "data" / "cifar10_test_near_duplicates.csv"
SEED = 0


def planted(
    train: Dataset, test: Dataset, *, n_test: int, n_train: int, n_planted: int
) -> tuple[Dataset, Dataset, list[str]]:
    """The first images of test and of train; `n_planted` training rows repeat the first test images."""
    rng = np.random.default_rng(SEED)
    kinds = [list(KINDS)[row % len(KINDS)] for row in range(n_planted)]
    hosts = test.select(np.arange(n_test))
    images = train.pixels(np.arange(n_train)).copy()
    for row, kind in enumerate(kinds):
        images[row] = KINDS[kind](hosts.pixels(row), rng)
    return replace(train.select(np.arange(n_train)), images=images), hosts, kinds


def ours(train: Dataset, test: Dataset, n_planted: int) -> tuple[Scores, float]:
    """Scores (test, planted) of DeepSight, 0 where it lists no pair, and its own threshold."""
    frame = find_duplicates({"train": train, "test": test}, seed=SEED).frame
    across = frame.filter(
        (pl.col("split_a") == "test") & (pl.col("split_b") == "train") & (pl.col("index_b") < n_planted)
    )
    scores = np.zeros((len(test), n_planted))
    scores[across["index_a"].to_numpy(), across["index_b"].to_numpy()] = across["score"].to_numpy()
    return scores, float(frame.filter(pl.col("flagged") & (pl.col("kind") == "near"))["score"].min())


def peers(python: Path, train: Dataset, test: Dataset, n_planted: int) -> dict[str, tuple[Scores, float]]:
    """Scores (test, planted) of the peers, and the threshold that their defaults mean."""
    n, found = len(test), {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        np.save(path / "images.npy", np.concatenate([test.pixels(), train.pixels()]))
        command = [python, HERE / "peers.py", path / "images.npy", path]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for file in sorted(path.glob("imagehash_*.npy")):
            bits = np.load(file)
            distance = (bits[:n, None] != bits[None, n : n + n_planted]).sum(axis=2)
            found[file.stem.replace("_", " ")] = (-distance.astype(float), 0.0)
        for file in sorted(path.glob("cleanvision_*.npy")):
            group = np.load(file)
            same = (group[:n, None] == group[None, n : n + n_planted]) & (group[:n, None] >= 0)
            found[file.stem.replace("_", " ")] = (same.astype(float), 1.0)
    return found


def judge(name: str, scores: Scores, threshold: float, kinds: list[str]) -> dict[str, object]:
    """Average precision, recall at precision 0.9, and precision and recall at the tool's own threshold."""
    truth = np.eye(*scores.shape, dtype=bool)
    precision, recall, _ = precision_recall_curve(truth.ravel(), scores.ravel())
    flagged = scores >= threshold
    hits = (flagged & truth).sum()
    row: dict[str, object] = {
        "method": name,
        "average_precision": average_precision_score(truth.ravel(), scores.ravel()),
        "recall_at_precision_0.9": recall[precision >= 0.9].max(),
        "precision_at_default": hits / max(flagged.sum(), 1),
        "recall_at_default": hits / len(kinds),
    }
    diagonal = np.diagonal(flagged)
    for kind in KINDS:
        row[f"recall_{kind.replace(' ', '_')}"] = diagonal[np.array(kinds) == kind].mean()
    return row


def published(test: Dataset) -> dict[str, object]:
    """Share of the published pairs within the test set that are flagged, among all 10,000 images."""
    frame = find_duplicates({"test": test}, seed=SEED).frame.filter("flagged")
    flagged = set(frame.select("index_a", "index_b").rows())
    with PUBLISHED.open() as file:
        known = [(int(row["TestID"]), int(row["TrainID"]), row["Judgment"]) for row in csv.DictReader(file)]
    return {
        f"published_{name}": sum((i, j) in flagged for i, j, judgment in known if judgment == code)
        / sum(judgment == code for *_, judgment in known)
        for name, code in (("near-duplicate", "1"), ("very_similar", "2"))
    } | {"flagged_within_test": len(flagged)}


def everything(train: Dataset, test: Dataset) -> dict[str, object]:
    """Time, memory and findings on all images."""
    wall, used = time.perf_counter(), time.process_time()
    table = find_duplicates({"train": train, "test": test}, seed=SEED)
    return {
        "images": table.n,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - used,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "flagged_pairs": table.frame["flagged"].sum(),
        "estimated_precision": table.frame.filter("flagged")["probability"].mean(),
        "leaked_test_images": len(repeated_rows(table, of="test", within=("train",))),
        "train_images_to_drop": len(repeated_rows(table, of="train", within=("test",))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="python of an environment with requirements.txt")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    data, part = load_cifar10(), 10 if options.smoke else 1
    train, test = data.train, data.test
    sizes = {"n_test": 2000 // part, "n_train": 10_000 // part, "n_planted": 400 // part}
    mixed, hosts, kinds = planted(train, test, **sizes)
    found = {"deepsight": ours(mixed, hosts, len(kinds))}
    if options.peers:
        found |= peers(options.peers, mixed, hosts, len(kinds))
    rows = pl.DataFrame([judge(name, *result, kinds) for name, result in found.items()])
    print(rows.write_csv(float_precision=3))
    if not options.smoke:
        rows.write_csv(HERE / "results.csv", float_precision=4)
        print(published(test))
    print(everything(train.select(np.arange(len(train) // part)), test.select(np.arange(len(test) // part))))


if __name__ == "__main__":
    main()
