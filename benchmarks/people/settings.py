"""The five settings: what is examined, under which labels, and by which command of the product."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measures import Measured
from votes import Votes, planted_labels

from deepsight import Run, StudyConfig, examine, run_study
from deepsight.core.array_types import Ints
from deepsight.core.blocks import blocks_of
from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import BLOCK
from deepsight.model.pretrained import load_pretrained
from deepsight.model.training.linear_probe import fit_linear_probe
from deepsight.obtain.cifar10.load import load_cifar10
from deepsight.workflows.examine.examine_predictions import examine_predictions

VOTED = 25_000  # the first training rows have votes; the model is trained on the others
FOREIGN_ROWS, FOREIGN_SIDE = 2_000, 64  # of the probe that stands for a model trained elsewhere
KEPT: dict[tuple[int, bytes], np.ndarray] = {}  # features by side and rows


@dataclass(frozen=True)
class World:
    """The official training images: those with votes that are judged, and the others.

    Attributes:
        judged: the images that are examined, with official labels.
        others: images that a model may be trained on.
        votes: of people on the judged images.
        minutes: of each command.
        folder: for run folders.
    """

    judged: Dataset
    others: Dataset
    votes: Votes
    minutes: float
    folder: Path


def world_of(votes: Votes, rows: Ints, minutes: float, folder: Path) -> World:
    """These rows of the official training part are judged, all rows without votes are the others."""
    train = load_cifar10().train
    return World(
        train.select(rows), train.select(np.arange(VOTED, len(train))), votes.select(rows), minutes, folder
    )


def written(world: World, labels: Ints) -> str:
    """A data set of arrays whose test part is the judged images under these labels; its address."""
    path = world.folder / "data.npz"
    np.savez(
        path, images=world.others.pixels(), labels=world.others.labels, test_images=world.judged.pixels(),
        test_labels=labels, classes=np.array(world.judged.classes),
    )  # fmt: skip
    return f"arrays:{path}"


def default_study(world: World) -> tuple[Evidence, Measured]:
    """A study of its own, whose test set are the judged images."""
    labels = world.votes.official
    config = StudyConfig(data=written(world, labels), minutes=world.minutes)
    run_study(config, world.folder / "run", log=print)
    run = Run.open(world.folder / "run")
    given = run.predictions("test")
    return run.evidence(), Measured(world.votes.select(given.ids), given, np.zeros(len(given), dtype=bool))


def made_elsewhere(world: World, noise: float = 0.0) -> tuple[Evidence, Measured]:
    """Predictions of a probe on few images at a low resolution, examined beside the training part."""
    labels = planted_labels(world.votes, noise, seed=0) if noise else world.votes.official
    few = world.others.select(np.random.default_rng(0).permutation(len(world.others))[:FOREIGN_ROWS])
    probe = fit_linear_probe(features_of(few, FOREIGN_SIDE), few.labels, few.k)
    logits = probe(features_of(world.judged, FOREIGN_SIDE))
    np.savez(world.folder / "predictions.npz", logits=logits.astype(np.float32))
    config = StudyConfig(data=written(world, labels), minutes=world.minutes)
    examine_predictions(config, world.folder / "predictions.npz", world.folder / "run", log=print)
    run = Run.open(world.folder / "run")
    return run.evidence(), Measured(world.votes, run.predictions("test"), labels != world.votes.official)


def frozen_alone(world: World, noise: float = 0.0) -> tuple[Evidence, Measured]:
    """An out-of-fold head on frozen features of the judged images; nothing else is known."""
    labels = planted_labels(world.votes, noise, seed=0) if noise else world.votes.official
    features = features_of(world.judged, 128)
    said = out_of_fold_probabilities(features, labels, world.judged.k, seed=1)
    given = Predictions(world.judged.ids, labels, np.log(np.maximum(said, 1e-9)).astype(np.float32), features)
    found = examine(given, world.judged.with_labels(labels))
    return found.evidence, Measured(world.votes, given, labels != world.votes.official)


def training_rows(world: World) -> tuple[Evidence, Measured]:
    """All rows with votes as a training part, each half judged by a reference model of the other."""
    labels = world.votes.official
    said = out_of_fold_probabilities(features_of(world.judged, 64), labels, world.judged.k, seed=1)
    logits = np.log(np.maximum(said, 1e-9)).astype(np.float32)
    np.savez(world.folder / "predictions.npz", logits=logits)
    path = world.folder / "train.npz"
    np.savez(path, images=world.judged.pixels(), labels=labels, classes=np.array(world.judged.classes))
    config = StudyConfig(data=f"arrays:{path}", minutes=world.minutes)
    run = world.folder / "run"
    examine_predictions(config, world.folder / "predictions.npz", run, split="all", log=print)
    given = Run.open(run).predictions("test")
    return Run.open(run).evidence(), Measured(world.votes, given, np.zeros(len(given), dtype=bool))


def features_of(data: Dataset, side: int) -> np.ndarray:
    """Features (n, d) of the default backbone as it came; kept, since several settings ask for the same."""
    key = (side, data.ids.tobytes())
    if key not in KEPT:
        frozen, recipe = FrozenBackbone(load_pretrained()), Recipe(resolution=side)
        blocks = blocks_of(len(data), BLOCK)
        KEPT[key] = np.concatenate([frozen.features(data.pixels(rows), recipe) for rows in blocks])
    return KEPT[key]


SETTINGS: dict[str, Callable[[World], tuple[Evidence, Measured]]] = {
    "default study": default_study,
    "model trained elsewhere": made_elsewhere,
    "frozen features alone": frozen_alone,
    "0.5 % planted, frozen": lambda world: frozen_alone(world, 0.005),
    "2 % planted, frozen": lambda world: frozen_alone(world, 0.02),
    "10 % planted, frozen": lambda world: frozen_alone(world, 0.1),
    "0.5 % planted, elsewhere": lambda world: made_elsewhere(world, 0.005),
    "2 % planted, elsewhere": lambda world: made_elsewhere(world, 0.02),
    "10 % planted, elsewhere": lambda world: made_elsewhere(world, 0.1),
    "25,000 training rows": training_rows,
}
