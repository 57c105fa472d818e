"""What each check of an opened model costs: samples in steps, from the smallest that means something.

The costs count forward passes and gradients as the checks make them; the measured pace turns these into
seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.interpret.attribution import black_box, error_maps
from deepsight.interpret.background.sample_sizes import (
    ERROR_IMAGES,
    FIXED_IMAGES,
    LADDER,
    QUALITY_COMPOSITES,
    REJECTED,
    errors_for,
    images_for,
)
from deepsight.interpret.faithfulness import choice, runner
from deepsight.interpret.faithfulness.checks import FEWEST
from deepsight.interpret.faithfulness.grid_pointing import confident_and_correct
from deepsight.interpret.faithfulness.insertion_deletion import predictions_for, steps_for
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.levers.sizes import lever_seconds
from deepsight.interpret.robustness.corruptions import PREDICTIONS
from deepsight.workflows.examine.foreign_levers import FEWEST_TRAIN, foreign_ladder, foreign_rates
from deepsight.workflows.examine.pace import Pace

OVERHEAD = 1.25  # total time over that of bare passes and masks: small batches, changed images, tables
BACK = 0.5  # share of the network that a gradient goes back through, as half of the layers are deeper
DEPTHS = 3  # to which weights are randomised
DONORS = 10  # backgrounds for each object of the swap test
AUGMENTED = 2  # altered copies of an image
ROBUST = (20, 30, 50, 75, 100, 150, 200, 300, 500, 700, 1000, 1400, 2000)
AGAIN = (50, 100, 200, 300)
# Images to choose the method with, images of the faithfulness checks, errors that are mapped.
MAPS = (
    (0, FEWEST, 6), (6, FEWEST, 10), (8, 40, 20), (12, 60, 40), (16, 80, 60), (24, 120, 100), (24, 200, 150),
    (24, 300, 150), (24, 400, 150), (24, 500, 150), (24, 700, 150), (24, 1000, 150),
)  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """What the checks can be made on.

    Attributes:
        n: test images.
        errors: of them.
        sure: correctly and confidently classified images, on which maps can be checked.
        sure_classes: classes among these.
        swappable: whether two classes have two images each.
        train: training images whose features the levers may use.
        k: classes of the data.
    """

    n: int
    errors: int
    sure: int
    sure_classes: int
    swappable: bool
    train: int
    k: int

    @staticmethod
    def of(inputs: ExaminationInputs, *, features: bool) -> "Scope":
        """The scope of predictions; `features` says whether those of other images can be computed."""
        p = inputs.predictions
        sure = confident_and_correct(p.labels, p.probabilities)
        return Scope(
            len(inputs.test), int((p.labels != p.predicted).sum()), len(sure), len(np.unique(p.labels[sure])),
            swappable(p.labels), len(inputs.train.ids) if features and inputs.train is not None else 0,
            inputs.test.k,
        )  # fmt: skip

    @staticmethod
    def expected(data: Dataset) -> "Scope":
        """The scope before there are predictions, of a model that is right on three images of four."""
        n, classes = len(data), len(np.unique(data.labels))
        return Scope(n, n // 4, n * 3 // 8, classes, swappable(data.labels), 0, data.k)


def swappable(labels: Ints) -> bool:
    """Whether two classes have the two images each that the background test needs."""
    return int((np.bincount(labels) >= 2).sum()) >= 2


class Rung(NamedTuple):
    """One step of a ladder: counts of `SampleSizes` by name, and the seconds that they take."""

    counts: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class CheckLadder:
    """The samples that a check may take.

    Attributes:
        check: its name among the refusals.
        weight: its share of the time that is left when each check has its smallest sample.
        rungs: ascending; the first is the smallest sample that means something.
        least: that sample in words.
    """

    check: str
    weight: float
    rungs: Sequence[Rung]
    least: str


def robustness_ladder(pace: Pace, scope: Scope) -> CheckLadder:
    """Corruption robustness."""
    rungs = [
        Rung({"degradation_images": n}, OVERHEAD * PREDICTIONS * n * pace.image)
        for n in capped(ROBUST, scope.n)
    ]
    return CheckLadder(
        "degradation", 1, rungs, f"{min(ROBUST[0], scope.n)} images under {PREDICTIONS - 1} corruptions"
    )


def second_looks_ladder(pace: Pace, scope: Scope) -> CheckLadder:
    """The least confident images, mirrored and shifted."""
    rungs = [
        Rung({"augmented_images": n}, OVERHEAD * AUGMENTED * n * pace.image) for n in capped(AGAIN, scope.n)
    ]
    return CheckLadder("ambiguity", 0.5, rungs, f"{min(AGAIN[0], scope.n)} images, mirrored and shifted")


def background_ladder(pace: Pace, scope: Scope) -> CheckLadder:
    """The background test; it costs nothing where it will refuse these images."""
    useful = [step for step in LADDER if images_for(step) < scope.n]
    steps = [*useful, *LADDER[len(useful) : len(useful) + 1]]  # the next one takes all images
    rungs = [Rung({"context_objects": step}, swap_cost(step, pace, scope)) for step in steps]
    return CheckLadder(
        "context", 2, rungs if scope.swappable else free(rungs[0]),
        f"{min(LADDER[0], scope.n)} objects on other backgrounds",
    )  # fmt: skip


def swap_cost(objects: int, pace: Pace, scope: Scope) -> float:
    """Seconds of the background test, with no more images and errors than there are."""
    images, errors = min(images_for(objects), scope.n), min(errors_for(objects), scope.errors)
    accepted = min(objects, round(images * (1 - REJECTED)))
    passes = images + (DONORS + FIXED_IMAGES) * accepted + ERROR_IMAGES * errors
    return OVERHEAD * (passes * pace.image + (QUALITY_COMPOSITES + images + errors) * pace.mask)


def maps_ladder(pace: Pace, scope: Scope, *, choice: bool) -> CheckLadder:
    """The maps: their method is chosen, checked, and applied to errors.

    Args:
        pace: of the model.
        scope: what they can be made on.
        choice: whether the method is still to be chosen.
    """
    rungs: list[Rung] = []
    for choosing, faithful, mapped in map_counts(pace, scope):
        counts = {
            "choosing_images": choosing, "faithfulness_images": faithful, "mapped_errors": mapped
        }  # fmt: skip
        seconds = checks_cost(faithful, pace, scope, compared=choosing > 0) + mapping_cost(mapped, pace)
        if choice and choosing:
            seconds += choosing_cost(choosing, pace, scope)
        rungs.append(Rung(counts, OVERHEAD * seconds))
    return CheckLadder(
        "maps", 4, rungs if scope.sure >= 2 else free(rungs[0]),
        f"{rungs[0].counts['faithfulness_images']} images for the checks of the maps",
    )  # fmt: skip


def map_counts(pace: Pace, scope: Scope) -> list[tuple[int, int, int]]:
    """The steps of the maps with no more images than there are, without repetitions."""
    set_aside = max(2, int(choice.MOST_SHARE * scope.sure)) if pace.methods else 0
    most = max(1, scope.sure - set_aside), max(1, scope.errors)
    found = [
        (min(choosing, set_aside), min(faithful, most[0]), min(mapped, most[1]))
        for choosing, faithful, mapped in MAPS
    ]
    return list(dict.fromkeys(found))


def choosing_cost(images: int, pace: Pace, scope: Scope) -> float:
    """Seconds to compare the methods of maps on so many images."""
    curves = 2 * (choice.STEPS - 1) * images * pace.image
    each = images * map_cost(pace) + curves
    if scope.sure_classes >= choice.TILES**2:
        each += choice.MOSAICS * pace.mosaic * map_cost(pace, classes=choice.TILES**2)
    return pace.methods * each + curves  # those of a random order serve all methods


def checks_cost(images: int, pace: Pace, scope: Scope, *, compared: bool) -> float:
    """Seconds of insertion and deletion, grid pointing and randomised weights; see `map_cost`."""
    one = map_cost(pace, compared=compared)
    seconds = images * (one + predictions_for(steps_for(images)) * pace.image)
    models = 1 if pace.gradient is None else 2  # the mosaics of a model with random weights, too
    if scope.sure_classes >= runner.TILES**2:
        count = int(np.clip(2 * images // 3, FEWEST, runner.MOSAICS))
        of_mosaic = map_cost(pace, classes=runner.TILES**2, compared=compared)
        seconds += models * count * pace.mosaic * of_mosaic
    if pace.gradient is not None:
        few = int(np.clip(images // 3, runner.FEWEST_RANDOM, runner.RANDOM_IMAGES))
        seconds += DEPTHS * runner.RANDOM_SEEDS * min(few, scope.sure) * one
    return seconds


def mapping_cost(errors: int, pace: Pace) -> float:
    """Seconds to map so many errors, each also mirrored, and to cut out the objects of the main ones."""
    masks = min(errors, error_maps.MAIN_PAIRS * error_maps.OF_MAIN)
    return 2 * errors * map_cost(pace, classes=2) + masks * pace.mask


def map_cost(pace: Pace, *, classes: int = 1, compared: bool = True) -> float:
    """Seconds of the maps of so many classes of one image.

    Maps of a black box cost the mean of both methods, or as much as the first where none is compared.
    """
    if pace.gradient is None:
        first = black_box.CELLS**2 + 1
        return ((first + black_box.MASKS) / 2 if compared else first) * pace.image
    return pace.image + BACK * classes * max(0.0, pace.gradient - pace.image)


def levers_ladder(pace: Pace, scope: Scope) -> CheckLadder:
    """The levers, half of whose time goes to features of training images where there are enough."""
    rows = scope.train if scope.train >= FEWEST_TRAIN * scope.k else 0
    rates = foreign_rates(pace.image, pace.mask)
    rungs = [
        Rung({}, OVERHEAD * (2 if rows else 1) * lever_seconds(sizes, rates, rows=rows, epochs=1.0))
        for sizes in foreign_ladder(rows, scope.n)
    ]
    return CheckLadder(
        "levers", 2, rungs if scope.errors else free(rungs[0]), "the levers that train nothing"
    )


def free(rung: Rung) -> list[Rung]:
    """The sample of a check that will refuse these images, with its own reason and at no cost."""
    return [Rung(rung.counts, 0.0)]


def capped(steps: Sequence[int], most: int) -> Iterator[int]:
    """The steps below `most`, then `most` itself or the last step."""
    yield from (step for step in steps if step < most)
    if most <= steps[-1]:
        yield most
