"""Do the levers tell the truth? Predicted against realised gains, planted causes, and placebos.

    python benchmarks/levers/run.py placebos planted realised [--folder PATH] [--results FILE]

Each row is appended to the results as soon as it is known, so a stopped run keeps what it has.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from worlds import Study, World, study_of, world_of

from deepsight.core.array_types import Bools, Pixels, Reals
from deepsight.core.dataset import Dataset
from deepsight.core.predictions import softmax
from deepsight.core.recipe import Recipe
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.obtain import load_dataset

Rows = Iterator[dict[str, Any]]

COLUMNS = (
    "part", "data", "case", "seed", "rows", "accuracy", "lever", "group", "predicted", "low", "high",
    "realised", "realised_error", "inside", "first",
)  # fmt: skip
RIGHT = {
    "quarter of the rows": "data",
    "32 px": "recipe",
    "wrong labels": "labels",
    "background cue": "background",
    "degraded test": "quality",
}
MEMBERS = 4  # of the real ensemble
WRONG, WRONG_SHARE = (3, 5), 0.2  # classes whose labels are spoilt, and the share of them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=("placebos", "planted", "realised"))
    parser.add_argument("--folder", type=Path, help="a folder of images, one folder per class")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1000, 2000], help="training images of a study"
    )
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results.csv")
    asked = parser.parse_args()
    got = load_dataset(f"folder:{asked.folder}" if asked.folder else "cifar10")
    name = "folder" if asked.folder else "cifar10"
    with tempfile.TemporaryDirectory() as cache:
        for part in asked.parts:
            for row in PARTS[part](got.train, got.test, asked, Path(cache)):
                append(asked.results, {"part": part, "data": name, **row})


def sizes_for(asked: argparse.Namespace, **changes: int) -> LeverSizes:
    """Sizes of the trials, about as a study of five minutes has them."""
    rows = max(asked.rows)
    given = LeverSizes(
        images=asked.test, views=3, retrainings=4, retraining_rows=min(768, rows), part_percent=50, parts=1,
        label_trainings=2, changes=1,
    )  # fmt: skip
    return replace(given, **changes)


def recipe_for(asked: argparse.Namespace, seed: int) -> Recipe:
    return Recipe(resolution=asked.resolution, epochs=2.0, views=1, seed=seed)


def placebos(
    train: Dataset, test: Dataset, asked: argparse.Namespace, cache: Path
) -> Iterator[dict[str, Any]]:
    """Levers that do nothing."""
    nothing = LeverSizes(images=asked.test, views=0, retrainings=0, parts=0, label_trainings=0)
    for seed in range(asked.seeds):
        world = world_of(train, test, rows=min(asked.rows), test=asked.test, seed=seed)
        study = study_of(
            world, rows=min(asked.rows), recipe=recipe_for(asked, seed), sizes=nothing, cache=cache
        )
        for row in study.findings.evidence["levers"].frame.filter(group="placebo").to_dicts():
            yield {**described(study, row, seed), "case": "placebo", "inside": abs(row["net"]) <= 0.01}


def planted(
    train: Dataset, test: Dataset, asked: argparse.Namespace, cache: Path
) -> Iterator[dict[str, Any]]:
    """Studies with a known fault: the lever that answers it should come first."""
    for case, group in RIGHT.items():
        world = world_of(train, test, rows=max(asked.rows), test=asked.test, seed=0)
        study = planted_study(case, world, asked, cache)
        table = study.findings.evidence["levers"].frame.filter(
            study.findings.evidence["levers"].frame["group"] != "placebo"
        )
        best = table.sort("net", descending=True)["group"][0]
        for row in table.to_dicts():
            yield {**described(study, row, 0), "case": case, "first": best == group}


def planted_study(case: str, world: World, asked: argparse.Namespace, cache: Path) -> Study:
    """The study with this fault."""
    rows, recipe = max(asked.rows), recipe_for(asked, 0)
    sizes = sizes_for(asked, objects=min(200, asked.test), repair_images=min(100, len(world.validation)))
    flagged: Bools | None = None
    damage = same
    if case == "quarter of the rows":
        rows //= 4
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
        world, rows=rows, recipe=recipe, sizes=sizes, cache=cache, flagged=flagged, predict_as=damage
    )


def realised(
    train: Dataset, test: Dataset, asked: argparse.Namespace, cache: Path
) -> Iterator[dict[str, Any]]:
    """The predicted gain of a lever beside what really doing it gives on fresh images."""
    for seed in range(asked.seeds):
        for rows in asked.rows:
            world = world_of(train, test, rows=rows, test=asked.test, seed=seed)
            study = study_of(
                world, rows=rows, recipe=recipe_for(asked, seed), sizes=sizes_for(asked), cache=cache
            )
            yield from predicted_and_realised(study, seed)


def predicted_and_realised(study: Study, seed: int) -> Iterator[dict[str, Any]]:
    """Three actions, each really done."""
    frame = study.findings.evidence["levers"].frame
    retrainer, first = study.retrainer(study.world.fresh), np.arange(study.rows)
    labels = study.world.fresh.labels
    own = [retrainer.whole(first, seed + 100 + r) for r in range(MEMBERS)]
    single = np.mean([right(labels, each) for each in own], axis=0)
    side = study.recipe.resolution + 32
    actions = {
        "averaging several trainings": right(labels, np.mean([softmax(each) for each in own], axis=0)),
        "twice the images": right(labels, retrainer.whole(np.arange(2 * study.rows), seed + 100)),
        f"{side} px": right(labels, retrainer.whole(first, seed + 100, resolution=side)),
    }
    errors = 1 - study.accuracy
    for row in frame.filter(frame["name"].is_in(list(actions))).to_dicts():
        gain = actions[row["name"]] - single
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
