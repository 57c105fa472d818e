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
from negatives import SETS
from numpy.typing import NDArray
from plant import KINDS, gain, mirror, recompress
from sklearn.metrics import average_precision_score, precision_recall_curve

from deepsight.core.dataset import Dataset
from deepsight.obtain.cifar10.load import load_cifar10
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.duplicates.repeated_rows import repeated_rows

Scores = NDArray[np.float64]

HERE = Path(__file__).parent
PUBLISHED = HERE.parents[2] / "shared" / "data" / "cifar10_test_near_duplicates.csv"
BY_EYE = PUBLISHED.with_name("cifar10_near_duplicates_by_eye_half.csv")
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


def by_eye(table: pl.DataFrame) -> dict[str, object]:
    """Of pairs of a test and a training image that a person looked at, the share that is flagged."""
    pairs = table.filter("flagged", pl.col("split_a") == "test", pl.col("split_b") == "train")
    flagged = set(pairs.select("index_a", "index_b").rows())
    with BY_EYE.open() as file:
        seen = [(int(row["test_row"]), int(row["train_row"]), row["verdict"]) for row in csv.DictReader(file)]
    verdicts = ("same", "doubtful", "other")
    return {
        f"by_eye_{verdict}": f"{sum((i, j) in flagged for i, j, found in seen if found == verdict)} of "
        f"{sum(found == verdict for *_, found in seen)}"
        for verdict in verdicts
    }


def false_alarms(n_copies: int) -> pl.DataFrame:
    """Flagged pairs in sets without near-duplicates, and how many planted copies are found there."""
    rng, rows = np.random.default_rng(SEED), []
    for name, make in SETS.items():
        images, labels = make()
        clean = labelled(images, labels)
        mixed = images.copy()
        hosts = n_copies + rng.choice(len(images) - n_copies, n_copies, replace=False)
        mixed[:n_copies] = np.stack([copy_of(images[host], row, rng) for row, host in enumerate(hosts)])
        copied = labels.copy()
        copied[:n_copies] = labels[hosts]
        alarms = find_duplicates({"train": clean}, seed=SEED).frame.filter("flagged")
        found = find_duplicates({"train": labelled(mixed, copied)}, seed=SEED).frame.filter("flagged")
        pairs = set(found.select("index_a", "index_b").rows())
        planted_pairs = {(row, int(host)) for row, host in enumerate(hosts)}
        rows.append(
            {
                "set": name,
                "images": len(images),
                "false_pairs": len(alarms),
                "false_images": len(set(alarms["index_a"]) | set(alarms["index_b"])),
                "copies_found": len(pairs & planted_pairs),
                "copies_planted": n_copies,
            }
        )
    return pl.DataFrame(rows)


def labelled(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Dataset:
    """Images under the names of their classes."""
    names = tuple(str(label) for label in range(int(labels.max()) + 1))
    return Dataset(images, labels, names, np.arange(len(images)), "train")


def copy_of(image: NDArray[np.uint8], row: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image recompressed, with another gain, or mirrored, in turn: copies at any number of pixels."""
    return (recompress, gain, mirror)[row % 3](image, rng)


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
    } | (by_eye(table.frame) if len(train) == 50_000 else {})


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
    alarms = false_alarms(60 // part)
    print(alarms)
    if not options.smoke:
        alarms.write_csv(HERE / "negatives.csv")
    print(everything(train.select(np.arange(len(train) // part)), test.select(np.arange(len(test) // part))))


if __name__ == "__main__":
    main()
