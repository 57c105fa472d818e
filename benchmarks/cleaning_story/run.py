"""The story of the docs on CIFAR-10N: clean the labels that the report suspects, and measure what it brought.

python benchmarks/cleaning_story/run.py CIFAR10N.npz --out OUT

1. A study of `--train` CIFAR-10 images with the labels that people gave (CIFAR-10N).
2. A reader looks at the `--decide` training labels that the study suspects most, and decides by the official
   label: relabel where it differs, keep where it does not.
3. `apply` writes the cleaned data, a second study with the same plan is trained on it, and
   `compare_with_earlier` tests the difference on the same test images.

The file is an .npz with `aggregate_label` (50000,), or `annotators` (n, 3) for the first n training images,
whose first column is taken.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np

from deepsight.config import StudyConfig
from deepsight.core.dataset import Dataset
from deepsight.core.decisions import Decision, write_decisions
from deepsight.core.run import Run
from deepsight.obtain.cifar10.load import load_cifar10
from deepsight.workflows.apply_decisions import apply_decisions
from deepsight.workflows.compare.with_earlier import compare_with_earlier
from deepsight.workflows.study import run_study, run_until

HERE = Path(__file__).parent


def main() -> None:
    arguments = parse()
    began = time.perf_counter()
    data, true = write_noisy(arguments)
    study = StudyConfig(data=data, minutes=arguments.minutes, mva=0, seed=arguments.seed, offline=True)
    first = arguments.out / "first"
    run_study(study, first, log=print)
    decisions = decided(Run.open(first), true, arguments.decide)
    write_decisions(arguments.out / "decisions.csv", decisions)
    clean = apply_decisions(first, arguments.out / "decisions.csv", arguments.out / "clean", log=print)
    again = StudyConfig(**{**Run.open(first).study(), "data": clean.data})  # the plan of the first study
    later = arguments.out / "cleaned"
    Run.create(later, again.stored())
    run_until("report", later, log=print)
    noted = compare_with_earlier(later, first, log=print)
    row = result_row(arguments, decisions, noted, time.perf_counter() - began)
    print(json.dumps(row, indent=2))
    if arguments.results:
        write_row(arguments.results, row)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("labels", type=Path, help="npz with the labels of CIFAR-10N")
    parser.add_argument("--out", type=Path, required=True, help="an empty or absent folder")
    parser.add_argument("--train", type=int, default=2000, help="training images")
    parser.add_argument("--test", type=int, default=2000, help="test images")
    parser.add_argument("--decide", type=int, default=60, help="suspected labels that the reader looks at")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each study")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="a CSV to add the row to")
    return parser.parse_args()


def write_noisy(arguments: argparse.Namespace) -> tuple[str, np.ndarray]:
    """The data set with people's labels, and the official training labels."""
    got = load_cifar10()
    with np.load(arguments.labels) as file:
        noisy = file["aggregate_label"] if "aggregate_label" in file else file["annotators"][:, 0]
    rows = first_of_each_class(got.train.select(np.arange(len(noisy))), arguments.train)
    test = got.test.select(first_of_each_class(got.test, arguments.test))
    train = got.train.select(rows)
    arguments.out.mkdir(parents=True, exist_ok=True)
    np.savez(
        arguments.out / "noisy.npz", images=train.pixels(), labels=noisy[rows].astype(np.int64),
        test_images=test.pixels(), test_labels=test.labels, classes=np.array(train.classes),
    )  # fmt: skip
    print(
        f"{int((noisy[rows] != train.labels).sum())} of {len(rows)} training labels differ from the official"
    )
    return f"arrays:{arguments.out / 'noisy.npz'}", train.labels


def first_of_each_class(data: Dataset, n: int) -> np.ndarray:
    """The first rows of each class, n in all."""
    each = n // data.k
    return np.sort(np.concatenate([np.flatnonzero(data.labels == c)[:each] for c in range(data.k)]))


def decided(run: Run, true: np.ndarray, most: int) -> list[Decision]:
    """What a reader who knows the official labels decides on the most suspected training labels."""
    classes = run.read_json("model.json")["classes"]
    suspects = run.evidence()["label_errors"].frame.filter(split="train").sort("score", descending=True)
    rows = suspects.select("index", "given").head(most).rows()
    named = [(index, given, classes[true[index]]) for index, given in rows]
    return [
        Decision("", i, "train", given, "keep" if given == right else "relabel", right, "CIFAR-10")
        for i, given, right in named
    ]


def result_row(
    arguments: argparse.Namespace, decisions: list[Decision], noted: dict[str, object], seconds: float
) -> dict[str, object]:
    """What was done and what it brought."""
    scores = dict(noted["labels_of_this_run"])  # type: ignore[call-overload]
    return {
        "labels": arguments.labels.stem, "train": arguments.train, "seed": arguments.seed,
        "minutes": arguments.minutes, "decided": len(decisions),
        "relabelled": sum(one.decision == "relabel" for one in decisions), "n_test": noted["n"],
        "macro_f1_before": round(scores["macro_f1_before"], 4),
        "macro_f1_after": round(scores["macro_f1_after"], 4),
        "difference": round(scores["difference"], 4), "ci_low": round(scores["ci95"][0], 4),
        "ci_high": round(scores["ci95"][1], 4), "p_value": round(scores["p_value"], 4),
        "seconds": round(seconds),
    }  # fmt: skip


def write_row(path: Path, row: dict[str, object]) -> None:
    """Add a row to a CSV."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
