"""The faithfulness checks on the model itself: grid pointing, insertion and deletion, randomised weights."""

from functools import partial

import numpy as np

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.open_model import OpenModel
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.error_maps import class_maps, map_method
from deepsight.interpret.faithfulness import checks, grid_pointing, insertion_deletion
from deepsight.interpret.faithfulness.checks import Check
from deepsight.interpret.faithfulness.model_randomisation import maps_at_part, randomised_copy
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs

MOSAIC_IMAGES = 400  # images that mosaics are made of
TILES, MOSAICS = 2, 60
RANDOM_SEEDS, RANDOM_IMAGES = 10, 30
HEAD = "head"


def check_faithfulness(inputs: ExaminationInputs, model: OpenModel, layer: Layer, count: int) -> Findings:
    """The table `faithfulness`; a check that these images do not allow is listed with its reason.

    Args:
        inputs: what is examined.
        model: the model.
        layer: where the maps are made.
        count: images for insertion and deletion.

    Raises:
        DeepSightError: fewer than two images are classified correctly.
    """
    p, seed = inputs.predictions, inputs.seed
    sure = grid_pointing.confident_and_correct(p.labels, p.probabilities)
    if len(sure) < 2:
        raise DeepSightError(
            f"Expected at least two correctly classified images to check maps on, received {len(sure)}."
        )
    sample = np.sort(np.random.default_rng(seed).permutation(sure)[: max(MOSAIC_IMAGES, count)])
    images, labels = inputs.test.pixels(sample), p.labels[sample]
    refused, found = Findings(), [checks.accuracy_check(p.labels, p.predicted)]
    try:
        found += check_grid_pointing(model, layer, images, labels, seed=seed)
    except DeepSightError as error:
        refused = Findings.refused("grid pointing", error)
    images, labels = images[: max(count, RANDOM_IMAGES)], labels[: max(count, RANDOM_IMAGES)]
    maps = class_maps(model, layer, images, labels[:, None])[:, 0]
    found += check_insertion_deletion(model, maps[:count], images[:count], labels[:count], seed=seed)
    few = slice(0, RANDOM_IMAGES)
    found += check_model_randomisation(model, layer, maps[few], images[few], labels[few], seed=seed)
    table = checks.faithfulness_table(found, family=f"{map_method(model, layer)} at {layer.name}")
    return refused.merge(Findings(Evidence({"faithfulness": table})))


def check_grid_pointing(
    model: OpenModel, layer: Layer, images: Pixels, labels: Ints, *, seed: int
) -> list[Check]:
    """Grid pointing, with each tile as large as a single image is for the network."""
    large = model.of_mosaics(TILES)
    stages = list(large.sides())
    random = randomised_copy(large.from_stage(stages[0]), stages[1], seed=seed)

    def random_maps_of(mosaics: Pixels, classes: Ints) -> Floats32:
        return maps_at_part(random, stages.index(layer.name), large.stage_maps(stages[0], mosaics), classes)

    return checks.grid_pointing_checks(
        partial(class_maps, large, layer), images, labels, random_maps_of=random_maps_of, tiles=TILES,
        count=MOSAICS, seed=seed,
    )  # fmt: skip


def check_insertion_deletion(
    model: OpenModel, maps: Floats32, images: Pixels, labels: Ints, *, seed: int
) -> list[Check]:
    """Insertion and deletion in the order of the maps (n, h, w) of the images' own classes."""
    steps = insertion_deletion.steps_for(len(images))
    return checks.insertion_deletion_checks(maps, images, labels, model.logits, steps=steps, seed=seed)


def check_model_randomisation(
    model: OpenModel, layer: Layer, maps: Floats32, images: Pixels, labels: Ints, *, seed: int
) -> list[Check]:
    """Model randomisation: of the head, of the later half of the network, and of all but its stem.

    The maps of the randomised copies are compared with the trained model's (n, h, w), for the images' own
    classes.
    """
    stages = list(model.sides())
    found = []
    for depth in dict.fromkeys((HEAD, stages[(len(stages) + 1) // 2], stages[1])):
        random = randomised_maps(model, layer, depth, images, labels, seed=seed)
        found.append(checks.model_randomisation_check(maps, random, depth=depth))
    return found


def randomised_maps(
    model: OpenModel, layer: Layer, depth: str, images: Pixels, labels: Ints, *, seed: int
) -> Floats32:
    """Maps (s, n, h, w) of copies whose weights are random from the head up to the stage `depth`.

    The network runs once, up to where the copies begin to differ or up to the layer of the maps, whichever
    comes first.
    """
    stages = list(model.sides())
    here = stages.index(layer.name)
    start = min(here, (stages.index(depth) if depth != HEAD else len(stages)) - 1)
    rest, maps = model.from_stage(stages[start]), model.stage_maps(stages[start], images)
    return np.stack(
        [
            maps_at_part(randomised_copy(rest, depth, seed=seed + s), here - start, maps, labels[:, None])[
                :, 0
            ]
            for s in range(RANDOM_SEEDS)
        ]
    )
