"""What a cheaper step costs in accuracy, on training images that nothing else is chosen by.

    python benchmarks/engine/steps.py [--rows 4000] [--seeds 3] [--resolution 64] [--variants ...]
    python benchmarks/engine/steps.py --data folder:PATH

Each variant trains on the same rows with the same seeds. It is scored on rows 40,000 to 43,999 of CIFAR-10's
training part, by which nothing else is chosen; of other data, on a random quarter of the training part.
Seconds are the processor time of the fine-tuning, so that other work on the machine counts little.
"""

import argparse
import copy
import csv
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.environment import processor
from deepsight.core.recipe import Precision, Recipe
from deepsight.core.statistics.intervals import macro_f1
from deepsight.model.backbone import Classifier
from deepsight.model.cached_views import dataset_maps
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.layers.fuse_batchnorm import FusedConv2d
from deepsight.model.pretrained import PACKAGED, Pretrained, load_pretrained
from deepsight.model.training import finetune
from deepsight.model.training.fit import fabric_of, preprocessing_of
from deepsight.model.training.linear_probe import linear_probe_phase
from deepsight.model.training.training_state import Training, head_logits, prepare_training, val_features
from deepsight.obtain import load_dataset

HERE = Path(__file__).resolve().parent
HELD_OUT = slice(40_000, 44_000)
SCORES = ("macro_f1", "mirrored", "averaged")
QUARTER = 20_253  # the seed that draws the rows of other data that are scored
FIELDS = ("variant", "data", "resolution", "rows", "epochs", "seed", "seconds", *SCORES, "machine")
LATE = 0.6  # share of the steps after which the early trainable stages stand still
DECAY = 0.9  # of the moving average, each step


def everything(training: Training, steps: int) -> Callable[[int], None]:
    """All weights are trained in all steps."""
    return lambda step: None


def fixed_depthwise(training: Training, steps: int) -> Callable[[int], None]:
    """Depthwise kernels stay as they came; their biases are trained."""
    for module in training.trainable.modules():
        if isinstance(module, FusedConv2d) and module.depthwise:
            module.weight.requires_grad_(False)
    return lambda step: None


def deeper_cut(training: Training, steps: int) -> Callable[[int], None]:
    """In the last steps, where rates are low, the first two trainable stages stand still."""

    def before(step: int) -> None:
        if step == round(LATE * steps):
            training.trainable.stages[:2].requires_grad_(False)  # type: ignore[index]

    return before


VARIANTS = {
    "everything": everything, "fixed depthwise": fixed_depthwise, "deeper cut": deeper_cut,
    "bfloat16": everything, "bfloat16 with views": everything,
}  # fmt: skip
# Of the steps; else float32.
PRECISION: dict[str, Precision] = {
    "bfloat16": "bf16-steps", "bfloat16 with views": "bf16-mixed",
}  # fmt: skip


class Average:
    """An exponential moving average of the trained weights."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self.copy = module, copy.deepcopy(module)

    @torch.no_grad()
    def update(self) -> None:
        for mean, value in zip(self.copy.parameters(), self._module.parameters(), strict=True):
            mean.lerp_(value, 1 - DECAY)


@contextmanager
def watched_steps(before: Callable[[int], None], average: Average) -> Iterator[None]:
    """Do something before and after each training step."""
    original = finetune.training_step

    def step(training: Training, optimisation: object, rows: object, epoch: int, number: int) -> Tensor:
        before(number)
        losses = original(training, optimisation, rows, epoch, number)  # type: ignore[arg-type]
        average.update()
        return losses

    finetune.training_step = step  # type: ignore[assignment]
    try:
        yield
    finally:
        finetune.training_step = original


def scored(training: Training, maps: np.ndarray | None = None) -> np.ndarray:
    """Logits of the held-out rows, or of other maps."""
    given = training if maps is None else replace(training, val_maps=maps)
    return head_logits(training.classifier.head, val_features(given)).numpy()


def run_one(
    name: str,
    data: str,
    pretrained: Pretrained,
    splits: Splits,
    recipe: Recipe,
    cache: FeatureCache,
    mirrored: Dataset,
) -> dict[str, object]:
    """Train one variant with one seed, and score it in three ways."""
    recipe = replace(recipe, precision=PRECISION.get(name, "32-true"))
    classifier = Classifier(copy.deepcopy(pretrained.backbone), len(splits.classes))
    preprocessing = preprocessing_of(pretrained, recipe)
    training = prepare_training(classifier, splits, preprocessing, recipe, cache=cache, fabric=fabric_of())
    linear_probe_phase(training)
    for view in range(recipe.views):
        training.views.view(view)
    steps = round(recipe.epochs * (len(splits.train) // recipe.batch))
    before, average = VARIANTS[name](training, steps), Average(training.trainable)
    training.fabric.seed_everything(recipe.seed, verbose=False)
    began = time.process_time()
    with watched_steps(before, average):
        list(finetune.finetune_phase(training, validated=False))
    seconds = time.process_time() - began
    labels, k = splits.validation.labels, len(splits.classes)
    logits = scored(training)
    other = scored(training, dataset_maps(classifier.frozen_stages, mirrored, preprocessing, "mirrored"))
    training.trainable.load_state_dict(average.copy.state_dict())
    of_average = scored(training)
    scores = [macro_f1(labels, found.argmax(1), k) for found in (logits, logits + other, of_average)]
    return {
        "variant": name, "data": data, "resolution": recipe.resolution, "rows": len(splits.train),
        "epochs": recipe.epochs, "seed": recipe.seed, "seconds": round(seconds, 1),
        **dict(zip(SCORES, (round(s, 4) for s in scores), strict=True)),
        "machine": processor(),
    }  # fmt: skip


def splits_of(address: str, rows: int, most: int) -> Splits:
    """The training rows, and in the place of validation the rows that are scored; test images stay out."""
    train = load_dataset(address).train
    if address == "cifar10":
        order = np.arange(len(train))
        scored = order[HELD_OUT]
    else:
        order = np.random.default_rng(QUARTER).permutation(len(train))
        scored, order = np.split(order, [len(train) // 4])
    return Splits(*(train.select(np.sort(part)) for part in (order[:rows], scored[:most], order[-1:])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--variants", nargs="+", choices=tuple(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--held-out", type=int, default=4000, help="rows that are scored, at most 4,000")
    parser.add_argument("--results", type=Path, default=HERE / "steps.csv")
    args = parser.parse_args()
    splits = splits_of(args.data, args.rows, args.held_out)
    held_out = splits.validation
    mirrored = replace(held_out, images=held_out.pixels()[:, :, ::-1].copy())
    data = args.data.split(":")[0]
    pretrained, new = load_pretrained(PACKAGED), not args.results.exists()
    with (
        tempfile.TemporaryDirectory() as folder,
        args.results.open("a", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        for seed in range(args.seeds):
            recipe = Recipe(
                resolution=args.resolution, epochs=args.epochs, views=max(1, round(args.epochs)), seed=seed,
                view_seed=0,
            )  # fmt: skip
            for name in args.variants:
                row = run_one(name, data, pretrained, splits, recipe, FeatureCache(Path(folder)), mirrored)
                writer.writerow(row)
                file.flush()
                print(row, flush=True)


if __name__ == "__main__":
    main()
