"""Which way of training wins at equal steps: batch norm, depth, order of unfreezing, easy rows, views?

    python benchmarks/recipes/run.py [--rows 5000] [--seeds 0 1 2] [--smoke]

Every variant of one recipe is trained on the same CIFAR-10 rows with the same number of steps and scored on
10,000 training images that are set apart: no variant trains on them, and nothing but this choice is scored on
them. The test images stay out of the choice. Variants take turns within a seed; a row is added to results.csv
as it comes.
"""

import argparse
import copy
import csv
import itertools
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from deepsight.core.dataset import Splits
from deepsight.core.environment import processor
from deepsight.core.recipe import Recipe
from deepsight.core.statistics.intervals import macro_f1
from deepsight.model.backbone import Classifier
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.predict import Predictor
from deepsight.model.pretrained import load_pretrained
from deepsight.model.training.finetune import finetune_phase
from deepsight.model.training.fit import fabric_of, fit_model, preprocessing_of
from deepsight.model.training.linear_probe import linear_probe_phase
from deepsight.model.training.training_state import prepare_training
from deepsight.obtain import load_dataset

HERE = Path(__file__).resolve().parent
SCORED, APART = 10_000, 20_251  # training images set apart for the choice, and the seed that draws them
STAGED = 0.25  # of the steps train the deepest stage alone
VARIANTS: dict[str, dict[str, object]] = {
    "as it is": {},
    "batch norm re-estimated": {"batch_norm": "reestimated"},
    "batch norm training": {"batch_norm": "training"},
    "deepest stage alone": {"trained_reductions": 1},
    "deepest stage first": {},
    "half of the rows, by loss, after a pass": {"hard_share": 0.5},
    "one view": {"views": 1},
    "four views": {"views": 4},
    "half the learning rate": {"learning_rate": 0.5e-3},
    "0.7 times the learning rate": {"learning_rate": 0.7e-3},
    "1.4 times the learning rate": {"learning_rate": 1.4e-3},
    "twice the learning rate": {"learning_rate": 2e-3},
}
FIELDS = (
    "variant",
    "seed",
    "macro_f1",
    "seconds",
    "rows",
    "epochs",
    "resolution",
    "n_test",
    "scored_on",
    "machine",
    "torch",
)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=tuple(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--results", type=Path, default=HERE / "results.csv")
    parser.add_argument("--smoke", action="store_true", help="256 rows at 32 px, to prove that it works")
    return parser.parse_args()


def rows_of(rows: int, scored: int, seed: int) -> Splits:
    """Rows of CIFAR-10's train drawn by the seed; in the place of test, rows that are set apart for good.

    Which rows are set apart depends on no seed of a training, so that no variant ever sees them.
    """
    train = load_dataset("cifar10").train
    apart = np.random.default_rng(APART).permutation(len(train))
    own = np.random.default_rng(seed).permutation(apart[SCORED:])
    chosen = (own[:rows], own[rows : rows + 500], apart[:SCORED][:scored])
    return Splits(*(train.select(np.sort(part)) for part in chosen))


def trained(variant: str, splits: Splits, recipe: Recipe, folder: Path) -> Predictor:
    """A model by this variant, from an empty cache."""
    pretrained = load_pretrained("tf_efficientnet_lite0", "auto")
    cache, fabric = FeatureCache(folder), fabric_of()
    if variant != "deepest stage first":
        return fit_model(pretrained, splits, recipe, cache=cache, fabric=fabric).predictor
    k = len(splits.classes)
    first_of_deepest = Classifier(copy.deepcopy(pretrained.backbone), k, trained_reductions=1).cut
    classifier = Classifier(pretrained.backbone, k)
    preprocessing = preprocessing_of(pretrained, recipe)
    training = prepare_training(classifier, splits, preprocessing, recipe, cache=cache, fabric=fabric)
    linear_probe_phase(training)
    shallow = [*training.trainable.stages.children()][: first_of_deepest - classifier.cut]
    for share, frozen in ((STAGED, True), (1 - STAGED, False)):
        for stage in shallow:
            stage.requires_grad_(not frozen)
        part = replace(training, recipe=replace(recipe, epochs=recipe.epochs * share))
        for _ in finetune_phase(part, validated=False):
            pass
    classifier.fuse_all()
    return Predictor(classifier, preprocessing)


def measured(args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A row for each seed and variant."""
    torch.set_num_threads(2)
    for seed, variant in itertools.product(args.seeds, args.variants):
        splits = rows_of(args.rows, SCORED if not args.smoke else 256, seed)
        recipe = Recipe(resolution=args.resolution, epochs=args.epochs, views=2, seed=seed)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            predictor = trained(variant, splits, replace(recipe, **VARIANTS[variant]), Path(folder))
        seconds = time.perf_counter() - began
        predicted = predictor.predictions(splits.test, name="test").predicted
        yield {
            "variant": variant, "seed": seed, "seconds": round(seconds, 1),
            "macro_f1": round(macro_f1(splits.test.labels, predicted, len(splits.classes)), 4),
            "rows": args.rows, "epochs": args.epochs, "resolution": args.resolution,
            "n_test": len(splits.test), "scored_on": "train, set apart", "machine": processor(),
            "torch": f"{torch.__version__}, python {platform.python_version()}",
        }  # fmt: skip


def table(rows: list[dict[str, object]]) -> str:
    """Mean and range over seeds, and the paired difference to the first variant."""
    first = {row["seed"]: row for row in rows if row["variant"] == "as it is"}
    lines = [
        "| variant | macro-F1 | least to most | difference | seconds over the first's |",
        "|---|---|---|---|---|",
    ]
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant]
        scores = np.array([float(str(row["macro_f1"])) for row in own])
        base = np.array([float(str(first[row["seed"]]["macro_f1"])) for row in own])
        ratio = np.median([float(str(r["seconds"])) / float(str(first[r["seed"]]["seconds"])) for r in own])
        lines.append(
            f"| {variant} | {scores.mean():.3f} | {scores.min():.3f} to {scores.max():.3f} "
            f"| {100 * (scores - base).mean():+.1f} points | {ratio:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    args = parsed()
    if args.smoke:
        args.rows, args.resolution, args.seeds = 256, 32, [0]
    rows = []
    with args.results.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for row in measured(args):
            rows.append(row)
            writer.writerow(row)
            file.flush()
    print(table(rows))


if __name__ == "__main__":
    main()
