"""The faithfulness checks on the model itself: grid pointing, insertion and deletion, randomised weights."""

import numpy as np

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.open_model import Predict
from deepsight.interpret.attribution.attributor import Attributor, family_name
from deepsight.interpret.faithfulness import checks, grid_pointing, insertion_deletion
from deepsight.interpret.faithfulness.checks import Check
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs

MOSAIC_IMAGES = 400  # images that mosaics are made of
TILES, MOSAICS = 2, 60
RANDOM_SEEDS, RANDOM_IMAGES = 10, 30
FEWEST_RANDOM = 10  # images at which randomised maps are compared, where there is little time
NO_WEIGHTS = "The weights of this model are not accessible, so whether its maps depend on them is not tested."


def check_faithfulness(
    inputs: ExaminationInputs,
    attributor: Attributor,
    predict: Predict,
    count: int,
    *,
    apart: Ints | None = None,
) -> Findings:
    """The table `faithfulness`; a check that these images do not allow is listed with its reason.

    Args:
        inputs: what is examined.
        attributor: the maps under test.
        predict: the model, images -> logits.
        count: images for insertion and deletion.
        apart: positions of test images that are not used, because the maps were chosen on them.

    Raises:
        DeepSightError: fewer than two images are classified correctly.
    """
    p, seed = inputs.predictions, inputs.seed
    sure = grid_pointing.confident_and_correct(p.labels, p.probabilities)
    sure = sure if apart is None else np.setdiff1d(sure, apart)
    if len(sure) < 2:
        raise DeepSightError(
            f"Expected at least two correctly classified images to check maps on, received {len(sure)}."
        )
    sample = np.sort(np.random.default_rng(seed).permutation(sure)[: max(MOSAIC_IMAGES, count)])
    images, labels = inputs.test.pixels(sample), p.labels[sample]
    refused, found = Findings(), [checks.accuracy_check(p.labels, p.predicted)]
    try:
        mosaics = int(np.clip(2 * count // 3, checks.FEWEST, MOSAICS))
        found += check_grid_pointing(attributor, images, labels, count=mosaics, seed=seed)
    except DeepSightError as error:
        refused = refused.merge(Findings.refused("grid pointing", error))
    randomised = int(np.clip(count // 3, FEWEST_RANDOM, RANDOM_IMAGES))
    images, labels = images[: max(count, randomised)], labels[: max(count, randomised)]
    maps = attributor.maps(images, labels[:, None])[:, 0]
    found += check_insertion_deletion(predict, maps[:count], images[:count], labels[:count], seed=seed)
    few = slice(0, randomised)
    if attributor.depths:
        found += check_model_randomisation(attributor, maps[few], images[few], labels[few], seed=seed)
    else:
        refused = refused.merge(Findings.refused("model randomisation", NO_WEIGHTS))
    table = checks.faithfulness_table(found, family=family_name(attributor))
    return refused.merge(Findings(Evidence({"faithfulness": table})))


def check_grid_pointing(
    attributor: Attributor, images: Pixels, labels: Ints, *, count: int, seed: int
) -> list[Check]:
    """Grid pointing in mosaics, against chance and, where it has weights, against the randomised model."""
    large = attributor.for_mosaics(TILES)

    def random_maps_of(mosaics: Pixels, classes: Ints) -> Floats32:
        return np.asarray(large.randomised_maps(mosaics, classes, depth=large.depths[-1], seeds=[seed])[0])

    return checks.grid_pointing_checks(
        large.maps, images, labels, random_maps_of=random_maps_of if large.depths else None, tiles=TILES,
        count=count, seed=seed,
    )  # fmt: skip


def check_insertion_deletion(
    predict: Predict, maps: Floats32, images: Pixels, labels: Ints, *, seed: int
) -> list[Check]:
    """Insertion and deletion in the order of the maps (n, h, w) of the images' own classes."""
    steps = insertion_deletion.steps_for(len(images))
    return checks.insertion_deletion_checks(maps, images, labels, predict, steps=steps, seed=seed)


def check_model_randomisation(
    attributor: Attributor, maps: Floats32, images: Pixels, labels: Ints, *, seed: int
) -> list[Check]:
    """Model randomisation down to each depth, for the images' own classes.

    The maps of the randomised copies are compared with the trained model's (n, h, w).
    """
    seeds = range(seed, seed + RANDOM_SEEDS)
    return [
        checks.model_randomisation_check(
            maps,
            attributor.randomised_maps(images, labels[:, None], depth=depth, seeds=seeds)[:, :, 0],
            depth=depth,
        )
        for depth in attributor.depths
    ]
