"""What training on copies of test images does to the answers on them, on CIFAR-10. See README.md.

python benchmarks/treatments/leakage.py --cache CACHE --results benchmarks/treatments/leakage.csv

The copies are those that the product's search finds among all 60,000 images; both arms are the product's.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.recipe import Recipe
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import PACKAGED, load_pretrained
from deepsight.model.training.fit import fabric_of
from deepsight.obtain.cifar10.load import load_cifar10
from deepsight.scrub.duplicates.official import official_duplicates, parts_digest
from deepsight.treat.trial.checkpoints import TrialConfig
from deepsight.treat.trial.leakage_effect import Leakage, measure_leakage
from deepsight.treat.trial.store import Store
from deepsight.workflows.treat import leakage_between

VALIDATION = 500  # held out of the training rows, as a trial has it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000, help="training images without copies")
    parser.add_argument("--steps", type=int, default=60, help="of 128 images, each training")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each arm")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--reductions", type=int, default=1, choices=(0, 1, 2), help="trained stages")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the search")
    parser.add_argument("--results", type=Path, help="a CSV for the table")
    args = parser.parse_args()
    torch.set_num_threads(1)
    began, official = time.process_time(), load_cifar10()
    parts = {"train": official.train, "test": official.test}
    duplicates = official_duplicates(parts, args.cache / parts_digest(parts), log=print)
    leakage = leakage_between(official.train, duplicates)
    searched = time.process_time() - began
    print(f"{len(leakage.rows)} training images repeat {len(leakage.test)} test images; {searched:.0f} s")
    table = measured(args, official.train, official.test, leakage)
    print(table.frame, table.caption, table.method, sep="\n")
    print(f"{time.process_time() - began - searched:.0f} s of the processor for the trainings")
    if args.results:
        table.frame.write_csv(args.results)


def measured(args: argparse.Namespace, train: Dataset, test: Dataset, leakage: Leakage):  # type: ignore[no-untyped-def]
    """The table `leakage_effect` of rows that hold no copies."""
    free = np.random.default_rng(0).permutation(np.flatnonzero(~np.isin(train.ids, leakage.rows.ids)))
    held, used = np.split(free[: args.rows + VALIDATION], [VALIDATION])
    splits = Splits(train.select(np.sort(used)), train.select(np.sort(held)), test)
    recipe = Recipe(resolution=args.resolution, views=1, trained_reductions=args.reductions)
    pretrained = load_pretrained(PACKAGED)
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(Path(folder) / "maps")
        config = TrialConfig(splits, recipe, lambda name: pretrained, cache, fabric_of())
        recipes = [replace(recipe, seed=seed, view_seed=0) for seed in range(args.seeds)]
        store = Store(Path(folder) / "arms")
        return measure_leakage(config, leakage, recipes=recipes, steps=args.steps, store=store)


if __name__ == "__main__":
    main()
