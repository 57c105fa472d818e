"""Wrong labels: how well are CIFAR-10N's found, beside cleanlab on the same probabilities? See README.md.

python benchmarks/label_errors/run.py                 frozen backbone, cross-fitted head
python benchmarks/label_errors/run.py --fine-tune     two networks (--folds), none judges what it has seen
python benchmarks/label_errors/run.py --smoke         2,000 images, a minute
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import polars as pl
import torch
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from scipy.special import softmax
from sklearn.metrics import average_precision_score, roc_auc_score

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.recipe import Recipe
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.label_sources import ExaminedSplit, gather_label_sources
from deepsight.model import pretrained as weights
from deepsight.model.backbone import stages_of
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.predict import Predictor
from deepsight.model.training.fit import fabric_of, fit_model, preprocessing_of
from deepsight.obtain.cifar10.load import load_cifar10

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared/data/cifar10n_aggregate.npz"
CLEANLAB = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


@dataclass(frozen=True)
class Judged:
    """A ranking of n images, the wrongest first in score."""

    method: str
    score: np.ndarray
    flagged: np.ndarray | None
    seconds: float


def main() -> None:
    arguments = parse()
    data = load_cifar10().train
    given = np.load(arguments.noisy)["aggregate_label"].astype(np.int64)
    if arguments.smoke:
        rows = np.sort(np.random.default_rng(0).permutation(len(data))[:2000])
        data, given = data.select(rows), given[rows]
    wrong = given != data.labels
    noisy = data.with_labels(given)
    parts = fine_tuned(noisy, arguments) if arguments.fine_tune else frozen(noisy, arguments)
    network = f"fine-tuned on the others, {arguments.folds} folds" if arguments.fine_tune else "frozen"
    side = arguments.side if arguments.fine_tune else arguments.resolution
    case = {"network": network, "px": side, "n": len(wrong), "wrong": int(wrong.sum())}
    rows = [case | measured(judged, wrong) for judged in rankings(parts)]
    for row in rows:
        print("  ".join(str(value) for value in row.values()))
    if not arguments.smoke:
        write(rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--noisy", type=Path, default=SHARED, help="npz with aggregate_label, (50000,)")
    parser.add_argument("--features", type=Path, help="npy (50000, d) of a frozen backbone, not made again")
    parser.add_argument(
        "--last", type=int, default=1280, help="how many of the features are the last stage's"
    )
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument(
        "--rows", type=int, default=14_000, help="at most so many images a network is fine-tuned on"
    )
    parser.add_argument("--passes", type=float, default=1.0, help="over them")
    parser.add_argument("--folds", type=int, default=2, help="as many networks, none judges what it has seen")
    parser.add_argument("--side", type=int, default=128, help="pixels, of the fine-tuned networks")
    parser.add_argument("--store", type=Path, help="npz of what the fine-tuned networks say; made if absent")
    parser.add_argument("--smoke", action="store_true")
    return parser.parse_args()


def frozen(data: Dataset, arguments: argparse.Namespace) -> dict[str, ExaminedSplit]:
    """All images, judged from a backbone that has never seen these labels.

    The probabilities that both sides get are those of a head cross-fitted on the last stage. The earlier
    stages are features that only we can use.
    """
    features = frozen_features(data, arguments)
    last = features[:, -arguments.last :]
    probabilities = out_of_fold_probabilities(last, data.labels, data.k, seed=1)
    return {"train": ExaminedSplit(data.ids, data.labels, probabilities, features)}


def frozen_features(data: Dataset, arguments: argparse.Namespace) -> np.ndarray:
    """Those at hand, or made now: (n, d)."""
    if arguments.features:
        return np.load(arguments.features, mmap_mode="r")[data.ids]
    return pooled_stages(data, arguments.resolution)


def pooled_stages(data: Dataset, resolution: int) -> np.ndarray:
    """The pooled maps of the last four stages of the default backbone, float16 (n, d), deepest last."""
    pretrained = weights.load_pretrained(log=print)
    prepare = preprocessing_of(pretrained, Recipe(resolution=resolution))
    stages = [stage for _, stage in stages_of(pretrained.backbone.eval())]
    blocks = []
    with torch.inference_mode():
        for start in range(0, len(data), 100):
            maps, pooled = prepare(data.pixels(slice(start, start + 100))), []
            for stage in stages:
                maps = stage(maps)
                pooled.append(maps.mean((2, 3)))
            blocks.append(torch.cat(pooled[-4:], dim=1).numpy().astype(np.float16))
    return np.concatenate(blocks)


def fine_tuned(data: Dataset, arguments: argparse.Namespace) -> dict[str, ExaminedSplit]:
    """Folds, each with the opinions and features of a network fine-tuned on the others.

    Frozen features of the backbone are a further network, as in a study.
    """
    order = np.random.default_rng(0).permutation(len(data))
    folds = {
        f"fold {number}": np.sort(rows)
        for number, rows in enumerate(np.array_split(order, arguments.folds), 1)
    }
    said = stored(data, folds, arguments)
    frozen = frozen_features(data, arguments)
    return {
        name: ExaminedSplit(
            data.ids[rows], data.labels[rows], softmax(said[f"{name}_logits"], axis=1).astype(np.float64),
            said[f"{name}_features"], name, {"frozen": frozen[rows]},
        )
        for name, rows in folds.items()
    }  # fmt: skip


def stored(
    data: Dataset, folds: dict[str, np.ndarray], arguments: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Logits and features of each fold from the network of the others; read where they were kept."""
    if arguments.store and arguments.store.exists():
        return dict(np.load(arguments.store))
    said = {}
    for name, judged in folds.items():
        with tempfile.TemporaryDirectory() as folder:
            rows = np.setdiff1d(np.arange(len(data)), judged)
            rows = np.random.default_rng(1).permutation(rows)
            predictor = trained(data, rows, arguments, Path(folder))
        predictions = predictor.predictions(data.select(judged), name=name)
        said[f"{name}_logits"] = predictions.logits
        said[f"{name}_features"] = predictions.features.astype(np.float16)
    if arguments.store:
        np.savez(arguments.store, **said)
    return said


def trained(data: Dataset, rows: np.ndarray, arguments: argparse.Namespace, folder: Path) -> Predictor:
    """A network fine-tuned on the first of these rows; a few of the others validate."""
    cut = min(arguments.rows, int(0.9 * len(rows)))
    validation = rows[cut : cut + 500]
    splits = Splits(
        data.select(np.sort(rows[:cut])), *(data.select(part) for part in np.array_split(validation, 2))
    )
    recipe = Recipe(resolution=arguments.side, epochs=arguments.passes, views=ceil(arguments.passes))
    pretrained = weights.load_pretrained(log=print)
    cache = FeatureCache(folder, limit=20 * 2**30)
    return fit_model(pretrained, splits, recipe, cache=cache, fabric=fabric_of(), log=print).predictor


def rankings(parts: dict[str, ExaminedSplit]) -> Iterator[Judged]:
    """Ours, then cleanlab's on the model's probabilities, and on our pool of all sources."""
    began = time.process_time()
    opinions = gather_label_sources(parts, 10, seed=0)
    gathered = time.process_time() - began
    classes = tuple("0123456789")
    tables = label_error_tables(opinions, classes)
    with pl.Config(tbl_cols=-1):
        print(tables["label_error_summary"].frame)
    found = tables["label_errors"].frame.sort("index", maintain_order=True)
    yield Judged(
        "DeepSight", found["score"].to_numpy(), found["flagged"].to_numpy(), time.process_time() - began
    )
    back = np.argsort(np.concatenate([each.ids for each in opinions.values()]))
    given = np.concatenate([each.labels for each in opinions.values()])[back]
    same = {
        "the same probabilities": np.concatenate([e.distributions["model"] for e in opinions.values()])[back],
        "our pool": np.concatenate([each.pooled for each in opinions.values()])[back],
    }
    for source, probabilities in same.items():
        yield from peers(given, probabilities, source, gathered)


def peers(given: np.ndarray, probabilities: np.ndarray, source: str, gathered: float) -> Iterator[Judged]:
    """cleanlab's three rankings, and what it flags, from these probabilities."""
    began = time.process_time()
    flagged = find_label_issues(given, probabilities)
    seconds = gathered + time.process_time() - began
    for method in CLEANLAB:
        quality = get_label_quality_scores(given, probabilities, method=method)
        yield Judged(f"cleanlab {method} on {source}", -quality, flagged, seconds)


def measured(judged: Judged, wrong: np.ndarray) -> dict[str, object]:
    """A row of results.csv."""
    flagged = judged.flagged if judged.flagged is not None else np.zeros(len(wrong), dtype=bool)
    return {
        "method": judged.method,
        "average_precision": round(float(average_precision_score(wrong, judged.score)), 4),
        "auroc": round(float(roc_auc_score(wrong, judged.score)), 4),
        "flagged": int(flagged.sum()),
        "precision_of_flagged": round(float(wrong[flagged].mean()), 4) if flagged.any() else "",
        "recall_of_flagged": round(float(flagged[wrong].mean()), 4),
        "processor_seconds": round(judged.seconds, 1),
    }


def write(rows: list[dict[str, object]]) -> None:
    """Put these rows in the place of those of the same network and resolution in results.csv."""
    path, key = HERE / "results.csv", (rows[0]["network"], str(rows[0]["px"]))
    kept: list[dict[str, object]] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            kept = [dict(row) for row in csv.DictReader(file) if (row["network"], row["px"]) != key]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept + rows)


if __name__ == "__main__":
    main()
