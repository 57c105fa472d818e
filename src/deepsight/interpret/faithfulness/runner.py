"""The checks of the maps on the model itself: pointing, deletion and insertion, and random weights."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.open_model import OpenModel
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.error_maps import kind_of, maps_for
from deepsight.interpret.faithfulness import checks as faithfulness
from deepsight.interpret.faithfulness import grid_pointing, insertion_deletion
from deepsight.interpret.faithfulness.checks import Check
from deepsight.interpret.faithfulness.model_randomisation import maps_within, random_copy
from deepsight.interpret.inputs import ExaminationInputs

POOL = 400  # images that mosaics are made of
TILES, MOSAICS = 2, 60
RANDOM_SEEDS, RANDOM_IMAGES = 10, 30
HEAD = "head"


def faithfulness_of(
    inputs: ExaminationInputs, model: OpenModel, layer: Layer, count: int
) -> tuple[Table, list[tuple[str, str]]]:
    """The table `faithfulness`, and the checks that these images do not allow, with the reason.

    Args:
        count: images of insertion and deletion.

    Raises:
        DeepSightError: fewer than two images are rightly classified.
    """
    p, seed = inputs.predictions, inputs.seed
    sure = grid_pointing.confident_and_right(p.labels, p.probabilities)
    if len(sure) < 2:
        raise DeepSightError(
            f"Expected rightly classified images, on which maps are checked, received {len(sure)}."
        )
    sample = np.sort(np.random.default_rng(seed).permutation(sure)[: max(POOL, count)])
    images, labels = inputs.test.pixels(sample), p.labels[sample]
    refusals, checks = [], [faithfulness.right_answers(p.labels, p.predicted)]
    try:
        checks += points(model, layer, images, labels, seed=seed)
    except DeepSightError as error:
        refusals.append(("grid pointing", str(error)))
    images, labels = images[: max(count, RANDOM_IMAGES)], labels[: max(count, RANDOM_IMAGES)]
    maps = maps_for(model, layer, images, labels[:, None])[:, 0]
    checks += replaces(model, maps[:count], images[:count], labels[:count], seed=seed)
    few = slice(0, RANDOM_IMAGES)
    checks += forgets(model, layer, maps[few], images[few], labels[few], seed=seed)
    return faithfulness.table(checks, family=f"{kind_of(model, layer)} at {layer.name}"), refusals


def points(model: OpenModel, layer: Layer, images: Pixels, labels: Ints, *, seed: int) -> list[Check]:
    """Grid pointing, with each tile as large as a single image is for the network."""
    large = model.of_mosaics(TILES)
    stages = list(large.sides())
    random = random_copy(large.from_stage(stages[0]), stages[1], seed=seed)

    def random_maps_of(mosaics: Pixels, classes: Ints) -> Floats32:
        return maps_within(random, stages.index(layer.name), large.stage_maps(stages[0], mosaics), classes)

    return faithfulness.grid_pointing(
        partial(maps_for, large, layer), images, labels, random_maps_of=random_maps_of, tiles=TILES,
        count=MOSAICS, seed=seed,
    )  # fmt: skip


def replaces(model: OpenModel, maps: Floats32, images: Pixels, labels: Ints, *, seed: int) -> list[Check]:
    """Insertion and deletion by the maps (n, h, w) of the images' own classes."""
    steps = insertion_deletion.steps_for(len(images))
    return faithfulness.insertion_deletion(maps, images, labels, model.logits, steps=steps, seed=seed)


def forgets(
    model: OpenModel, layer: Layer, maps: Floats32, images: Pixels, labels: Ints, *, seed: int
) -> list[Check]:
    """Model randomisation: of the head, of the later half of the network, and of all but its stem.

    Their maps are compared with the trained model's (n, h, w), of the images' own classes.
    """
    stages = list(model.sides())
    checks = []
    for depth in dict.fromkeys((HEAD, stages[(len(stages) + 1) // 2], stages[1])):
        random = random_maps(model, layer, depth, images, labels, seed=seed)
        checks.append(faithfulness.randomisation(maps, random, depth=depth))
    return checks


def random_maps(
    model: OpenModel, layer: Layer, depth: str, images: Pixels, labels: Ints, *, seed: int
) -> NDArray[np.float32]:
    """Maps (s, n, h, w) of copies whose weights are random from the head up to the stage `depth`.

    The network is run once up to where a copy begins to differ, or where the maps are made if that is before.
    """
    stages = list(model.sides())
    here = stages.index(layer.name)
    start = min(here, (stages.index(depth) if depth != HEAD else len(stages)) - 1)
    rest, maps = model.from_stage(stages[start]), model.stage_maps(stages[start], images)
    return np.stack(
        [
            maps_within(random_copy(rest, depth, seed=seed + s), here - start, maps, labels[:, None])[:, 0]
            for s in range(RANDOM_SEEDS)
        ]
    )
