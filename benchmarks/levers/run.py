"""Do the levers tell the truth? Predicted against realised gains, planted causes, and placebos.

    python benchmarks/levers/run.py placebos planted realised [--folder PATH] [--seeds 0 1] [--results FILE]

Each row is appended to the results as soon as it is known, so a stopped run keeps what it has.
"""

import argparse
import csv
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from worlds import Study, World, study_of, world_of

from deepsight.core.array_types import Bools, Ints, Pixels, Reals
from deepsight.core.dataset import Dataset, join_datasets
from deepsight.core.predictions import softmax
from deepsight.core.recipe import Recipe
from deepsight.interpret.levers.levers_table import levers_table
from deepsight.interpret.levers.outcome import ExaminedImages
from deepsight.interpret.levers.placebo import copied_rows, judge_placebo, shuffled_file
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.interpret.levers.tools import HEAD
from deepsight.interpret.levers.training_images.influence import fit_ridge_head
from deepsight.interpret.levers.training_images.training_labels import (
    heads_without,
    judge_left_out,
    leave_out_flagged,
)
from deepsight.model.plan_search import batch_for
from deepsight.obtain import load_dataset
from deepsight.workflows.levers import train_once

Rows = Iterator[dict[str, Any]]

COLUMNS = (
    "part", "data", "case", "seed", "rows", "accuracy", "lever", "group", "predicted", "low", "high",
    "realised", "realised_error", "inside", "first",
)  # fmt: skip
# The levers that answer each fault.
RIGHT = {
    "quarter of the rows": ("the unused images", "twice the images"),
    "32 px": ("64 px",),
    "wrong labels": ("leaving out flagged labels",),
    "background cue": ("training on other backgrounds", "other backgrounds"),
    "degraded test": ("repairing the image",),
}
MEMBERS = 4  # of the real ensemble
REPEATS = 1  # of the other real actions
SUSPECTED = 0.05  # share of the rows that a placebo leaves out
WRONG, WRONG_SHARE = (3, 5), 0.2  # classes whose labels are spoilt, and the share of them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=("placebos", "planted", "realised"))
    parser.add_argument("--folder", type=Path, help="a folder of images, one folder per class")
    parser.add_argument("--cases", nargs="+", choices=tuple(RIGHT), default=tuple(RIGHT))
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1000, 2000], help="training images of a study"
    )
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--spoilt", action="store_true", help="exchange labels in the study of `realised`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results.csv")
    asked = parser.parse_args()
    got = load_dataset(f"folder:{asked.folder}" if asked.folder else "cifar10")
    data = join_datasets([got.train, got.test], "all") if asked.folder else got.train
    name = asked.folder.name if asked.folder else "cifar10"
    with tempfile.TemporaryDirectory() as cache:
        for part in asked.parts:
            for row in PARTS[part](data, asked, Path(cache)):
                append(asked.results, {"part": part, "data": name, **row})


def sizes_for(asked: argparse.Namespace, rows: int, **changes: int) -> LeverSizes:
    """Sizes of the trials, about as a study of ten minutes has them."""
    given = LeverSizes(
        images=asked.test, views=2, retrainings=4, retraining_rows=min(1024, rows), part_percent=50, parts=1,
        label_trainings=1, changes=2,
    )  # fmt: skip
    return replace(given, **changes)


def recipe_for(asked: argparse.Namespace, rows: int, seed: int) -> Recipe:
    """A short training, with the batch that a plan gives so many rows."""
    return Recipe(resolution=asked.resolution, epochs=2.0, views=1, seed=seed, batch=batch_for(rows, 128))


def placebos(data: Dataset, asked: argparse.Namespace, cache: Path) -> Rows:
    """Levers that do something plausible and useless."""
    nothing = LeverSizes(images=asked.test, views=0, retrainings=0, parts=0, label_trainings=0)
    for seed in asked.seeds:
        for rows in asked.rows:
            world = world_of(data, rows=rows, test=asked.test, seed=seed)
            study = study_of(
                world, rows=rows, recipe=recipe_for(asked, rows, seed), sizes=nothing, cache=cache
            )
            resized = study.findings.evidence["levers"].frame.filter(group="placebo").to_dicts()
            for row in [*resized, *retrained_placebos(study, seed)]:
                yield {**described(study, row, seed), "case": "placebo", "inside": abs(row["net"]) <= 0.01}


def retrained_placebos(study: Study, seed: int) -> Rows:
    """A shuffled label file, every row twice, and random rows left out as if their labels were suspected."""
    test, rows = study.world.test, np.arange(study.rows)
    own = study.retrainer(test)
    logits = own.predictor.logits(test.pixels())
    examined = ExaminedImages(np.arange(len(test)), test.labels, logits, np.ones(len(test)), len(test))
    pairs = {
        "label file shuffled": shuffled_file(study.rows, trainings=2, seed=seed),
        "every row twice": copied_rows(study.rows, trainings=2, seed=seed),
    }
    outcomes = [
        judge_placebo(examined, name, *([train_once(own, each) for each in side] for side in sides))
        for name, sides in pairs.items()
    ]
    labels = study.world.pool.labels[: study.rows]
    flagged = np.random.default_rng([seed, 3]).random(study.rows) < SUSPECTED
    at_random = replace(
        leave_out_flagged(labels, flagged, rows, seed=seed), name="placebo: random rows left out"
    )
    head = fit_ridge_head(own.features(rows), labels, test.k)
    seen = own.predictor.features(test.pixels())
    left_out = heads_without(head, seen, rows, at_random, labels, seed=seed)
    outcomes.append(judge_left_out(examined, at_random, *left_out, trained=HEAD))
    yield from (levers_table([each], examined, None).frame.row(0, named=True) for each in outcomes)


def planted(data: Dataset, asked: argparse.Namespace, cache: Path) -> Rows:
    """Studies with a known fault: the lever that answers it should come first."""
    for seed in asked.seeds:
        for case in asked.cases:
            world = world_of(data, rows=max(asked.rows), test=asked.test, seed=seed)
            study = planted_study(case, world, asked, cache, seed)
            frame = study.findings.evidence["levers"].frame
            table = frame.filter(frame["group"] != "placebo").sort("net", descending=True)
            first = table["name"][0] in RIGHT[case]
            for row in table.to_dicts():
                yield {**described(study, row, seed), "case": case, "first": first}


def planted_study(case: str, world: World, asked: argparse.Namespace, cache: Path, seed: int) -> Study:
    """The study with this fault."""
    rows, unused = max(asked.rows), 0
    recipe = recipe_for(asked, rows, seed)
    sizes = sizes_for(
        asked, rows, objects=min(100, asked.test), repair_images=min(100, len(world.validation)),
        swap_rows=600, swap_trainings=1, unused_trainings=1, changes=1, parts=1, label_trainings=1, views=1,
    )  # fmt: skip
    flagged: Bools | None = None
    damage = same
    if case == "quarter of the rows":  # in the same time, as a plan would have it
        rows, unused = rows // 4, rows - rows // 4
        recipe = replace(recipe_for(asked, rows, seed), epochs=4 * recipe.epochs)
    if case == "32 px":
        recipe = replace(recipe, resolution=32)
    if case == "wrong labels":
        world, flagged = with_wrong_labels(world)
        flagged = flagged[:rows]
    if case == "background cue":
        world = with_cue(world)
    if case == "degraded test":
        damage = flattened
    return study_of(
        world, rows=rows, recipe=recipe, sizes=sizes, cache=cache, flagged=flagged, unused=unused,
        predict_as=damage,
    )  # fmt: skip


def realised(data: Dataset, asked: argparse.Namespace, cache: Path) -> Rows:
    """The predicted gain of a lever beside what really doing it gives on fresh images."""
    for seed in asked.seeds:
        for rows in asked.rows:
            world = world_of(data, rows=rows, test=asked.test, seed=seed)
            flagged: Bools | None = None
            if asked.spoilt:
                world, flagged = with_wrong_labels(world)
                flagged = flagged[:rows]
            study = study_of(
                world, rows=rows, recipe=recipe_for(asked, rows, seed), sizes=sizes_for(asked, rows),
                cache=cache, flagged=flagged,
            )  # fmt: skip
            yield from predicted_and_realised(study, seed, flagged)


def predicted_and_realised(study: Study, seed: int, flagged: Bools | None) -> Rows:
    """The actions that were promised, each really done, on fresh images."""
    frame = study.findings.evidence["levers"].frame
    retrainer, first = study.retrainer(study.world.fresh), np.arange(study.rows)
    labels, twice = study.world.fresh.labels, np.arange(2 * study.rows)
    own = [retrainer.whole(first, seed + 100 + r) for r in range(MEMBERS)]
    single = np.mean([right(labels, each) for each in own], axis=0)
    print("accuracy of each training:", [f"{right(labels, each).mean():.4f}" for each in own], flush=True)
    side = study.recipe.resolution + 32

    def again(rows: Ints, **change: Any) -> np.ndarray:
        trained = [retrainer.whole(rows, seed + 100 + r, **change) for r in range(REPEATS)]
        return np.mean([right(labels, each) for each in trained], axis=0)

    actions: dict[str, Callable[[], np.ndarray]] = {
        "averaging several trainings": lambda: right(
            labels, np.mean([softmax(each) for each in own], axis=0)
        ),
        "twice the images": lambda: again(twice),
        f"{side} px": lambda: again(first, resolution=side),
        "training longer": lambda: again(first, passes=2.0),
    }
    if flagged is not None:
        actions["leaving out flagged labels"] = lambda: again(np.flatnonzero(~flagged))
    errors = 1 - study.accuracy
    promised = {row["name"]: row for row in frame.to_dicts()}
    for name, action in actions.items():
        row, gain = promised[name], action() - single
        value, spread = float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain)))
        yield {
            **described(study, row, seed), "case": "realised", "predicted": row["net"] * errors,
            "low": row["ci_low"] * errors, "high": row["ci_high"] * errors, "realised": value,
            "realised_error": spread, "inside": row["ci_low"] * errors <= value <= row["ci_high"] * errors,
        }  # fmt: skip


def described(study: Study, row: dict[str, Any], seed: int) -> dict[str, Any]:
    """What every row of the results holds."""
    return {
        "seed": seed, "rows": study.rows, "accuracy": study.accuracy, "lever": row["name"],
        "group": row["group"], "predicted": row["net"], "low": row["ci_low"], "high": row["ci_high"],
    }  # fmt: skip


def right(labels: np.ndarray, scores: Reals) -> np.ndarray:
    """1 where the largest score is on the label, else 0."""
    return (scores.argmax(axis=1) == labels).astype(float)


def same(data: Dataset) -> Dataset:
    return data


def with_pixels(data: Dataset, pixels: Pixels) -> Dataset:
    """The same labels and ids with other pixels."""
    return Dataset(pixels, data.labels, data.classes, data.ids, data.source)


def with_wrong_labels(world: World) -> tuple[World, Bools]:
    """A fifth of the labels of two classes exchanged in training, and which they are."""
    rng = np.random.default_rng(0)
    labels = world.pool.labels.copy()
    hit = np.isin(labels, WRONG) & (rng.random(len(labels)) < WRONG_SHARE)
    labels[hit] = np.where(labels[hit] == WRONG[0], WRONG[1], WRONG[0])
    return replace(world, pool=world.pool.with_labels(labels)), hit


def with_cue(world: World) -> World:
    """A border whose colour is the class in training, and any class's in test."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (world.pool.k, 3))
    parts = {}
    for name in ("pool", "validation", "test", "fresh"):
        data = getattr(world, name)
        shown = data.labels if name in ("pool", "validation") else rng.integers(data.k, size=len(data))
        pixels = data.pixels().copy()
        width = pixels.shape[1] // 8
        inside = np.zeros(pixels.shape[1:3], dtype=bool)
        inside[width:-width, width:-width] = True
        pixels[:, ~inside] = colours[shown][:, None]
        parts[name] = with_pixels(data, pixels)
    return World(**parts)


def flattened(data: Dataset) -> Dataset:
    """Test images of low contrast."""
    pixels = np.stack([cv2.convertScaleAbs(image, alpha=0.25, beta=96) for image in data.pixels()])
    return with_pixels(data, pixels)


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row to the results, and show it."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow({name: f"{v:.4f}" if isinstance(v, float) else v for name, v in row.items()})
    print(row, flush=True)


PARTS = {"placebos": placebos, "planted": planted, "realised": realised}

if __name__ == "__main__":
    main()
