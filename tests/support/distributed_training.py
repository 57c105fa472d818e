"""Train by a recipe on the rows of a file, in as many processes as torchrun started.

Each process writes what it saw: `result-<rank>.json` with its history and the model's test logits.
"""

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.recipe import Recipe
from deepsight.model import cached_views, feature_cache
from deepsight.model.pretrained import from_package
from deepsight.model.training.fit import fabric_of, fit_model


def read_splits(path: Path) -> Splits:
    file = np.load(path)
    classes = tuple(str(c) for c in range(10))

    def part(name: str, source: str) -> Dataset:
        images, labels = file[f"{name}_images"], file[f"{name}_labels"]
        return Dataset(images, labels, classes, file[f"{name}_ids"], source)

    return Splits(part("train", "train"), part("validation", "train"), part("test", "test"))


def training_of(splits: Splits, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train in this process, beside the others that torchrun started, and say what it saw."""
    fabric, filled, fill = fabric_of(), [], cached_views.CachedViews._fill

    def watched(views: cached_views.CachedViews, number: int, path: Path) -> None:
        filled.append(number)
        fill(views, number, path)

    cache = feature_cache.FeatureCache(folder / f"cache-{fabric.world_size}")
    with patch.object(cached_views.CachedViews, "_fill", watched):
        fitted = fit_model(from_package(""), splits, recipe, cache=cache, fabric=fabric)
    return {
        "processes": fabric.world_size,
        "rank": fabric.global_rank,
        "filled": filled,
        "history": fitted.history.drop("seconds").to_dicts(),
        "logits": fitted.predictor.logits(splits.test.pixels()).tolist(),
    }


def main(folder: Path, recipe: Recipe) -> None:
    torch.set_num_threads(1)
    result = training_of(read_splits(folder / "rows.npz"), recipe, folder)
    (folder / f"result-{result['processes']}-{result['rank']}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Recipe(**json.loads(sys.argv[2])))
