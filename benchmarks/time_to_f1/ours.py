"""DeepSight's engine by a recipe chosen beforehand: a closed-form head, then the tail on cached maps."""

import tempfile
from pathlib import Path

import numpy as np
import torch
import trial

from deepsight.core.dataset import Splits
from deepsight.core.recipe import Recipe
from deepsight.model.engine import settings_of_long_passes, using_settings
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.hardware.throughput import faster_base, fused_copy
from deepsight.model.model_file import save_model
from deepsight.model.training.fit import fabric_of, fit_model

VALIDATION = 500


def main() -> None:
    args = trial.arguments()
    clock = trial.Clock(args.began)
    torch.set_num_threads(2)
    train, test = trial.official(args)
    order = np.random.default_rng(args.seed).permutation(len(train))
    rows, validation = np.sort(order[: args.rows]), np.sort(order[args.rows :][:VALIDATION])
    if len(validation) == 0:
        validation, rows = rows[:VALIDATION], rows[VALIDATION:]
    splits = Splits(train.select(rows), train.select(validation), test)
    pretrained = trial.pretrained_of(args)
    recipe = Recipe(resolution=args.resolution, epochs=args.epochs, seed=args.seed)
    recipe = faster_base(fused_copy(pretrained, recipe, k=train.k), recipe)
    settings = settings_of_long_passes(torch.get_num_threads())
    with tempfile.TemporaryDirectory() as folder, using_settings(settings):
        fitted = fit_model(
            pretrained, splits, recipe, cache=FeatureCache(Path(folder) / "trunk"),
            fabric=fabric_of(),
        )  # fmt: skip
        save_model(Path(folder), fitted, pretrained, test.classes, recipe)
        predicted = fitted.predictor.predictions(test, name="test").predicted
    trial.report(args, "ours", clock.seconds, test, predicted)


if __name__ == "__main__":
    main()
