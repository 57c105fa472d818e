"""A study so small that it can be done a thousand times, and what it must leave."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import timm
import torch
from safetensors.torch import save_file

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.files.atomic import digest_of, is_part
from deepsight.core.files.safe_yaml import yaml_text
from deepsight.core.recipe import Recipe
from small_sets import Labels, Pixels, pictures, write_arrays

TIMES = {"seconds", "peak_rss_mb", "predicted_seconds", "lr_seconds"}
# These hold times or processes alone.
PASSING = re.compile(r"(^|/)(\.lock|seconds\.json|manifests/.*)$")
# The tables of a report, packed as CSV: they hold seconds too, and the same tables are compared as Parquet.
PACKED = re.compile(r'(?<=<script type="text/plain" id="csv-)[^<]*')
BACKBONE = "test_resnet"  # the smallest that timm has; what it answers does not matter here
RECIPE = Recipe(resolution=32, epochs=1, views=1, batch=16)


def write_study(folder: Path, *, seed: int = 0, lever_sizes: Mapping[str, int] | None = None) -> Path:
    """Pictures of three classes, weights at random, and the study.yaml of a study whose plan is settled."""
    parts = {
        "train": doubtful(*pictures([32, 30, 28], 32, seed=seed), seed),
        "test": doubtful(*pictures([14, 13, 13], 32, seed=100 + seed), seed),
    }
    data = write_arrays(folder / f"rows{seed}.npz", **parts)
    weights = folder / "weights.safetensors"
    if not weights.exists():
        torch.manual_seed(0)
        state = timm.create_model(BACKBONE).state_dict()
        save_file({name: value.contiguous() for name, value in state.items()}, weights)
    plan = StudyPlan(
        backbone=BACKBONE, train_rows=70, recipe=RECIPE, degradation_images=2, context_objects=3,
        faithfulness_images=1, lever_sizes=dict(lever_sizes or {}),
    )  # fmt: skip
    study = StudyConfig(
        data=data, backbone=BACKBONE, weights=str(weights), resolution=32, mva=0, plan=plan, offline=True
    )
    path = folder / f"study{seed}.yaml"
    path.write_text(yaml_text(study.stored()))
    return path


def doubtful(images: Pixels, labels: Labels, seed: int) -> tuple[Pixels, Labels]:
    """The same with other labels on a fifth of the images, so that there are errors to study."""
    rng = np.random.default_rng(seed)
    moved = rng.random(len(labels)) < 0.2
    return images, np.where(moved, (labels + rng.integers(1, 3, len(labels))) % 3, labels)


def content_of(run: Path) -> dict[str, Any]:
    """All that a run folder holds but for times and the name of the folder that it lies in, by file.

    Equal for equal results.
    """
    files = sorted(path for path in run.rglob("*") if path.is_file())
    named = {path.relative_to(run).as_posix(): path for path in files}
    place = str(run.parent)
    return {name: content_of_file(path, place) for name, path in named.items() if not PASSING.search(name)}


def content_of_file(path: Path, place: str) -> Any:
    """What a file says, without times and the name of its place, as something that can be compared."""
    if is_part(path.name):
        return "unfinished"
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path.open("rb"))
        frame = frame.drop([name for name in frame.columns if name in TIMES])
        return frame.write_json().replace(place, "PLACE")
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {n: digest_of(arrays[n].tobytes()) for n in arrays.files if n not in TIMES | {"weights"}}
    if path.suffix == ".json":
        return without_times(json.loads(path.read_text().replace(place, "PLACE")))
    if path.suffix in (".html", ".md"):
        text = PACKED.sub("", path.read_text().replace(place, "PLACE"))
        return re.sub(r"\b0 min( 0 s)?\b", "0 s", re.sub(r"\d+(\.\d+)?", "0", text))
    return digest_of(path.read_bytes())


def without_times(content: Any) -> Any:
    """JSON without the keys that hold times."""
    if isinstance(content, dict):
        return {name: without_times(value) for name, value in content.items() if name not in TIMES}
    return [without_times(value) for value in content] if isinstance(content, list) else content


def difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The files in which two contents differ, in one line; empty where they are equal."""
    names = sorted(expected.keys() | found.keys())
    return ", ".join(name for name in names if expected.get(name) != found.get(name))
