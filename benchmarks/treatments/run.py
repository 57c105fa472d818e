"""Does the right treatment win where a fault was planted, and does nothing win where there is none?

    python benchmarks/treatments/run.py                  # all cases, writes results.csv
    python benchmarks/treatments/run.py --smoke          # one case and one clean repetition

Real CIFAR-10 through DeepSight's own sources. By default the head is trained on pooled features of a frozen
EfficientNet-Lite0, so that a machine without an accelerator can repeat it often; with --reductions 1 the
last stages are trained as well. The trial, the treatments and the statistics are those of the product.
Results are written after every case.
"""

import argparse
import copy
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from cases import COPY, DEER, HORSE, Case, placebos, planted, treatments
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset, Splits, positions_of_ids
from deepsight.core.recipe import Recipe
from deepsight.model import pretrained as weights
from deepsight.model.backbone import Classifier
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.predict import Predictor
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.fit import fabric_of, preprocessing_of
from deepsight.model.training.linear_probe import linear_probe_phase
from deepsight.model.training.training_state import (
    TrainablePart,
    Training,
    pooled,
    prepare_training,
    val_logits,
)
from deepsight.model.training.training_views import HeldMaps
from deepsight.obtain.cifar10.load import load_cifar10
from deepsight.treat.treatments.base import CONTROL, Target, Treatment
from deepsight.treat.trial.checkpoints import Checkpoints, TrialConfig
from deepsight.treat.trial.results import LEVEL
from deepsight.treat.trial.runner import arm_runner
from deepsight.treat.trial.schedule import run_arms
from deepsight.treat.trial.store import Store
from deepsight.treat.trial.trial_plan import TrialPlan
from deepsight.treat.trial.verdicts import Judgement, judge_treatment, treatments_table

SEEDS = 5


@dataclass(frozen=True)
class World:
    """The pool with its features, and how it is trained on."""

    pool: Dataset
    start: Training
    config: TrialConfig
    steps: int
    rows: int


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(arguments, Path(folder))
        print(f"features of the pool: {time.perf_counter() - began:.0f} s", flush=True)
        rows: list[dict[str, object]] = []
        for found in cases(world, arguments, Path(folder)):
            rows += found
            if not arguments.smoke:
                path = Path(__file__).parent / arguments.results
                pl.DataFrame(rows, infer_schema_length=None).write_csv(path, float_precision=5)
    print(f"all: {time.perf_counter() - began:.0f} s")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--planted", type=int, default=3, help="repetitions of each planted case")
    parser.add_argument("--from-case", type=int, default=0, help="first planted case of the first repetition")
    parser.add_argument("--from-clean", type=int, default=0, help="first repetition of the clean case")
    parser.add_argument("--clean", type=int, default=24, help="repetitions of the clean case")
    parser.add_argument("--detected", type=int, default=6, help="of these also with the detected treatments")
    parser.add_argument("--pool", type=int, default=8000, help="training images that cases are drawn from")
    parser.add_argument("--validation", type=int, default=5000, help="validation images")
    parser.add_argument("--rows", type=int, default=4000, help="training images of a case")
    parser.add_argument("--steps", type=int, default=60, help="steps of every arm")
    parser.add_argument("--features", type=Path, help="npy (50000, ≥ d), the last d are used, not made again")
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--reductions", type=int, default=0, help="1: the last stages too, on cached maps")
    parser.add_argument("--cache", type=Path, help="where the maps are kept; else they are made anew")
    parser.add_argument("--to-case", type=int, help="end of the planted cases, not included")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", default="results.csv")
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.planted, arguments.clean, arguments.rows, arguments.steps = 1, 1, 600, 10
        arguments.resolution, arguments.pool, arguments.validation = 32, 800, 300
    return arguments


def make_world(arguments: argparse.Namespace, folder: Path) -> World:
    """The pool, with a copy under the label deer of every second horse, and its features."""
    official = load_cifar10()
    train = official.train.select(np.arange(arguments.pool))
    horses = train.select(np.flatnonzero(train.labels == HORSE)[::2])
    pool = Dataset(
        np.concatenate([train.pixels(), horses.pixels()]),
        np.concatenate([train.labels, np.full(len(horses), DEER)]),
        train.classes,
        np.concatenate([train.ids, horses.ids + COPY]),
        "train",
    )
    validation = official.train.select(np.arange(40_000, 40_000 + arguments.validation))
    recipe = Recipe(resolution=arguments.resolution, trained_reductions=arguments.reductions, views=2)
    pretrained = weights.load_pretrained("tf_efficientnet_lite0")
    splits = Splits(pool, validation, official.test.select(np.arange(10)))
    cache = FeatureCache(arguments.cache or folder / "features")
    config = TrialConfig(splits, recipe, lambda _: pretrained, cache, fabric_of())
    make = start_of_stages if arguments.reductions else partial(start_of_features, stored=arguments.features)
    return World(pool, make(config, pretrained), config, arguments.steps, arguments.rows)


def start_of_stages(config: TrialConfig, pretrained: Pretrained) -> Training:
    """The last stages are trained, on cached maps of the pool, copies included."""
    recipe = config.recipe
    classifier = Classifier(
        copy.deepcopy(pretrained.backbone), config.splits.train.k,
        trained_reductions=recipe.trained_reductions,
    )  # fmt: skip
    return prepare_training(
        classifier, config.splits, preprocessing_of(pretrained, recipe), recipe,
        cache=config.cache, fabric=config.fabric,
    )  # fmt: skip


def start_of_features(config: TrialConfig, pretrained: Pretrained, *, stored: Path | None) -> Training:
    """The head alone is trained, on pooled features in place of maps."""
    recipe, pool, validation = config.recipe, config.splits.train, config.splits.validation
    classifier = Classifier(copy.deepcopy(pretrained.backbone), pool.k, trained_reductions=0)
    classifier.fuse_all()
    predictor = Predictor(classifier, preprocessing_of(pretrained, recipe))
    originals = pool.select(np.flatnonzero(pool.ids < COPY))
    own, held = (features_of(data, predictor, stored) for data in (originals, validation))
    every = own[pool.ids % COPY]  # the pool's ids are 0, 1, …, and those of its copies
    return Training(
        classifier, TrainablePart(classifier.trainable_stages, classifier.head),
        HeldMaps(every[:, None, None, :]), pool.labels,
        held[:, None, None, :], validation.labels, recipe, config.fabric,
    )  # fmt: skip


def features_of(data: Dataset, predictor: Predictor, stored: Path | None) -> NDArray[np.float32]:
    """Pooled features (n, d), made now, or the last d columns of a file of all official training images."""
    if stored is None:
        return predictor.features(data.pixels())
    last = predictor.weight.shape[1]
    return np.load(stored, mmap_mode="r")[data.ids, -last:].astype(np.float32)


def starts_of(world: World, train: Dataset) -> Checkpoints:
    """The start of a case: the pool's features, and a head fitted to the case's own labels."""
    classifier = copy.deepcopy(world.start.classifier)
    views = world.start.views.select(positions_of_ids(world.pool.ids, train.ids))
    trainable = TrainablePart(classifier.trainable_stages, classifier.head)
    start = replace(world.start, classifier=classifier, trainable=trainable, views=views, labels=train.labels)
    linear_probe_phase(start)
    config = replace(world.config, splits=replace(world.config.splits, train=train))
    return Checkpoints(config, {("", config.recipe.resolution): start})


def trial(
    world: World, checkpoints: Checkpoints, arms: Sequence[Treatment], folder: Path, target: Target
) -> list[Judgement]:
    """Control and arms over five seeds, judged on validation; all on the same target."""
    plan = TrialPlan(world.rows, SEEDS, dict.fromkeys([CONTROL.name, *(t.name for t in arms)], world.steps))
    results = run_arms(
        arms, SEEDS, arm_runner(plan, checkpoints, Store(folder), lambda _: None), lambda: float("inf")
    )
    for path in folder.glob("*.safetensors"):
        path.unlink()
    labels, k = world.config.splits.validation.labels, world.pool.k
    control = results.predicted(CONTROL.name)
    return [
        judge_treatment(
            replace(arm, target=target), labels, control, results.predicted(arm.name), k,
            level=LEVEL,
        )
        for arm in arms
        if arm.name in results.outcomes
    ]  # fmt: skip


def detected(case: Case, checkpoints: Checkpoints, seed: int) -> list[Treatment]:
    """The treatments as our own detectors make them for this case."""
    start = checkpoints.at("", checkpoints.config.recipe.resolution)
    blocks = np.array_split(np.arange(len(case.train)), len(case.train) // 256 + 1)
    features = np.concatenate([pooled(start.trainable, start.views.batch(0, block)) for block in blocks])
    predicted = val_logits(start).argmax(1).numpy()
    return treatments(case, features, (start.val_labels, predicted), seed)


def drawn(world: World, repetition: int) -> NDArray[np.int64]:
    """Rows of the pool for a repetition, without its copies."""
    originals = np.flatnonzero(world.pool.ids < COPY)
    rng = np.random.default_rng(repetition)
    return np.sort(rng.permutation(originals)[: world.rows]).astype(np.int64)


def cases(world: World, arguments: argparse.Namespace, folder: Path) -> Iterator[list[dict[str, object]]]:
    """The planted cases once, the clean ones, and the planted cases again on other rows."""
    if arguments.planted:
        last = 1 if arguments.smoke else arguments.to_case
        yield from planted_rows(world, 0, slice(arguments.from_case, last), folder)
    for repetition in range(arguments.from_clean, arguments.clean):
        yield from clean_rows(world, repetition, repetition < arguments.detected, folder)
    for repetition in range(1, arguments.planted):
        yield from planted_rows(world, repetition, slice(None), folder)


def planted_rows(
    world: World, repetition: int, which: slice, folder: Path
) -> Iterator[list[dict[str, object]]]:
    """Every planted case, on the rows of this repetition."""
    all_cases = planted(world.pool, drawn(world, repetition), repetition)
    for i, case in enumerate(all_cases[which]):
        checkpoints = starts_of(world, case.train)
        arms = detected(case, checkpoints, repetition)
        place = folder / f"planted-{repetition}-{i}"
        yield report(world, case, repetition, trial(world, checkpoints, arms, place, case.target))


def clean_rows(
    world: World, repetition: int, with_detected: bool, folder: Path
) -> Iterator[list[dict[str, object]]]:
    """No fault: placebos, which are known to do nothing, and perhaps what our detectors prescribe."""
    train = world.pool.select(drawn(world, 1000 + repetition))
    case = Case("placebo", train, (), Target())
    checkpoints = starts_of(world, train)
    arms = placebos(train, 4, repetition)
    yield report(
        world,
        case,
        repetition,
        trial(world, checkpoints, arms, folder / f"placebo-{repetition}", case.target),
    )
    if with_detected:
        arms = detected(case, checkpoints, repetition)
        place = folder / f"clean-{repetition}"
        yield report(
            world,
            replace(case, name="clean"),
            repetition,
            trial(world, checkpoints, arms, place, case.target),
        )


def report(world: World, case: Case, repetition: int, judgements: list[Judgement]) -> list[dict[str, object]]:
    """A line for each treatment of a case, the largest effect on the target first."""
    n = len(world.config.splits.validation)
    table = treatments_table(judgements, case.train.classes, n=n, seeds=SEEDS, level=LEVEL)
    frame = table.frame.sort("delta_target", descending=True).drop("regressed", "target", "cause")
    for row in frame.head(3).iter_rows(named=True):
        mark = " <- right" if row["name"] in case.right else ""
        print(
            f"{case.name} #{repetition}: {row['name']} target {100 * row['delta_target']:+.2f} "
            f"({row['target_verdict']}), macro {100 * row['delta_macro_f1']:+.2f} ({row['verdict']}){mark}",
            flush=True,
        )
    return [
        {"case": case.name, "repetition": repetition, "right": row["name"] in case.right, **row}
        for row in frame.iter_rows(named=True)
    ]


if __name__ == "__main__":
    main()
