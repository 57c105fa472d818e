"""The planner: measures this machine, predicts time and memory, and chooses what fits."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import harmonic_mean

import numpy as np
import torch

from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.clock import median_seconds
from deepsight.model.heap import freed_memory_kept
from deepsight.model.precision import IMAGES, faster_precision, gradient_step
from deepsight.model.preprocess import Preprocessing
from deepsight.model.training import TAIL_IMAGES
from deepsight.model.trunk import images_a_pass
from deepsight.model.weights import Pretrained

RESOLUTIONS = (64, 96, 128, 160)
LARGE, LARGE_SECONDS = 160, 480  # a budget below it is better not spent on measuring this resolution
FINE_MAPS = 128  # pixels from which the last layer has four cells a side, at a stride of 32
WITHOUT_MAPS = 1.1  # an error that much smaller is worth as much as maps that can be looked at
MOST_PASSES = 12
LOOKS = 2  # at each resolution
STEP_MAPS = (
    400  # a step keeps so many times what the batch's cached maps take (docs/decisions/0005-planner.md)
)
STEP_PASSES = (
    2  # a timed step has so many times the images of a pass without gradients: 128 at 64 px, 32 at 128
)
EXAMINATION_MB = 650  # besides what is resident, measured on CIFAR-10
SAVING = 1.0  # seconds, of the model and of what it says
CPU = torch.device("cpu")

# The error at each resolution, as trainings on CIFAR-10 gave it: least + more · (images / 10,000)^-0.8, where
# p passes over n images count as n · p^0.7 (docs/decisions/0005-planner.md). The order of plans
# counts, and it carries to other data sets.
LEAST_ERROR = {64: 0.100, 96: 0.075, 128: 0.055, 160: 0.048}
MORE_ERROR = {64: 0.085, 96: 0.047, 128: 0.043, 160: 0.043}
ERROR_EXPONENT, PASS_EXPONENT = -0.8, 0.7


@dataclass(frozen=True)
class Rates:
    """Images a second on this machine at one resolution.

    Attributes:
        trunk: forward through the frozen stages, preprocessing included.
        tail: forward through the trained stages.
        step: forward, backward and update of the trained stages.
        map_bytes: of one image's cached maps.
    """

    trunk: float
    tail: float
    step: float
    map_bytes: int

    @property
    def forward(self) -> float:
        """Forward through the whole network."""
        return 1 / (1 / self.trunk + 1 / self.tail)


@dataclass(frozen=True)
class Candidate:
    """A plan that could be chosen.

    Attributes:
        recipe: the training.
        rows: training images.
        seconds: predicted, by stage.
        peak_mb: predicted resident memory.
        error: predicted 1 - macro-F1, for the order of plans only.
    """

    recipe: Recipe
    rows: int
    seconds: dict[str, float]
    peak_mb: float
    error: float

    @property
    def total(self) -> float:
        """All stages together, in seconds."""
        return sum(self.seconds.values())

    @property
    def cost(self) -> float:
        """What is kept small: the error, and a tenth more where the last layer's maps are too coarse."""
        return self.error * (1.0 if self.recipe.resolution >= FINE_MAPS else WITHOUT_MAPS)


@dataclass(frozen=True)
class Workload:
    """What a study does besides training.

    Attributes:
        rows: training images that there are; validation, test: of the other splits.
        elapsed: seconds since the process began.
        fixed: seconds of the stages that do not depend on the plan, by stage.
        embedded: how many images pass the untrained network besides, by stage, at a resolution.
        twin_seconds: of looking for twins among so many images.
        resident_mb: memory before training; peak_mb: its peak so far; memory_mb: of the machine.
    """

    rows: int
    validation: int
    test: int
    elapsed: float
    fixed: dict[str, float]
    embedded: Callable[[int], dict[str, int]]
    twin_seconds: Callable[[int], float]
    resident_mb: float
    peak_mb: float
    memory_mb: float


def faster_base(classifier: Classifier, base: Recipe) -> Recipe:
    """The base recipe in the precision whose steps are faster here; a test of at most two seconds."""
    side = min(RESOLUTIONS)
    with torch.no_grad():
        maps = classifier.trunk(torch.zeros(IMAGES, 3, side, side, device=classifier.head.weight.device))
    return replace(base, precision=faster_precision(classifier.tail, classifier.head, maps))


def folded_copy(pretrained: Pretrained, base: Recipe, *, k: int, device: torch.device = CPU) -> Classifier:
    """A copy of the network as the recipe trains it, with k classes, on the device that will train."""
    classifier = Classifier(copy.deepcopy(pretrained.backbone), k, trained_reductions=base.trained_reductions)
    (classifier.fold_trunk if base.batch_norm == "training" else classifier.fold_all)()
    return classifier.to(device)


def resolutions_for(budget: float) -> tuple[int, ...]:
    """The resolutions that are worth measuring for a budget in seconds."""
    return tuple(side for side in RESOLUTIONS if side < LARGE or budget >= LARGE_SECONDS)


def measure(
    classifier: Classifier, pretrained: Pretrained, base: Recipe, sides: Sequence[int]
) -> dict[int, Rates]:
    """Time the two parts of a folded copy at each resolution, a few seconds in all.

    Every resolution is looked at twice, some seconds apart, and the mean time counts: one slow moment makes a
    plan waste its minutes, and one fast moment makes it overrun them.

    Args:
        classifier: what `folded_copy` gives; its weights stay as they are.
        pretrained: says how images are normalised.
        base: the training whose steps are timed.
        sides: of the images, in pixels.
    """
    looks = [{side: look(classifier, pretrained, base, side) for side in sides} for _ in range(LOOKS)]
    return {side: together([rates[side] for rates in looks]) for side in sides}


def together(looks: Sequence[Rates]) -> Rates:
    """The rates at the mean time of the looks."""
    return Rates(
        harmonic_mean(each.trunk for each in looks),
        harmonic_mean(each.tail for each in looks),
        harmonic_mean(each.step for each in looks),
        looks[0].map_bytes,
    )


def look(classifier: Classifier, pretrained: Pretrained, base: Recipe, side: int) -> Rates:
    """Time the two parts at one resolution, once."""
    preprocessing = Preprocessing(side, base.interpolation, base.antialias, pretrained.mean, pretrained.std)
    pixels = np.random.default_rng(0).integers(0, 256, (TAIL_IMAGES, 32, 32, 3), dtype=np.uint8)
    passes = np.array_split(pixels, -(-len(pixels) // images_a_pass(side)))
    trunk, tail, head = classifier.trunk, classifier.tail, classifier.head
    device = head.weight.device

    def through_trunk() -> torch.Tensor:
        return torch.cat([trunk(preprocessing(part).to(device)) for part in passes])

    with torch.inference_mode():
        maps = through_trunk()
        trunk_seconds = median_seconds(through_trunk, device=device)
        tail_seconds = median_seconds(lambda: tail(maps), device=device)
    batch = maps.new_zeros(STEP_PASSES * images_a_pass(side), *maps.shape[1:])
    batch = batch.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW([*tail.parameters(), *head.parameters()], lr=0.0, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        gradient_step(tail, head, batch, base.precision)
        optimiser.step()

    with freed_memory_kept():
        step_seconds = median_seconds(step, device=device)
    n = len(pixels)
    return Rates(n / trunk_seconds, n / tail_seconds, len(batch) / step_seconds, maps[0].numel() * 2)


def predict_plan(recipe: Recipe, rows: int, rates: Rates, work: Workload) -> Candidate:
    """Seconds by stage and peak memory of a plan on this machine."""
    seen = recipe.epochs * rows
    head_rows = min(rows, 10_000)
    views = min(recipe.views, int(np.ceil(recipe.epochs)))
    passes = int(np.ceil(recipe.epochs)) + 1
    embedded = work.embedded(recipe.resolution)
    around = {name: least + embedded.get(name, 0) / rates.forward for name, least in work.fixed.items()}
    compared = rows + work.validation + work.test
    seconds = {
        **around,
        "scrub": around["scrub"] + work.twin_seconds(compared),
        "frozen": (views * rows + work.validation) / rates.trunk + head_rows / rates.tail + 2.0,
        "finetune": seen / rates.step + passes * work.validation / rates.tail,
        # Test images pass the tail as it was before fine-tuning, too: FrozenBackbone.beside.
        "predict": work.test / rates.forward + work.test / rates.tail + SAVING,
    }
    maps_mb = (views * rows + work.validation) * rates.map_bytes / 1e6
    step_mb = recipe.batch * rates.map_bytes * STEP_MAPS / 1e6
    peak_mb = max(work.peak_mb, work.resident_mb + max(maps_mb + step_mb, EXAMINATION_MB))
    return Candidate(recipe, rows, seconds, peak_mb, expected_error(recipe.resolution, rows, recipe.epochs))


def expected_error(resolution: int, rows: int, epochs: float) -> float:
    """1 - macro-F1 of such a training; of a resolution that was not measured, as of the nearest that was."""
    nearest = min(LEAST_ERROR, key=lambda side: abs(side - resolution))
    images = rows * epochs**PASS_EXPONENT
    return float(LEAST_ERROR[nearest] + MORE_ERROR[nearest] * (images / 10_000) ** ERROR_EXPONENT)


def candidates(base: Recipe, rates: dict[int, Rates], work: Workload, budget: float) -> list[Candidate]:
    """For each resolution the largest training that fits into the budget, in seconds of the whole study."""
    found = []
    for side, speed in rates.items():
        for rows in row_choices(work.rows):
            at = replace(base, resolution=side)
            one = passes(at, 1.0, rows, speed, work)
            spare = budget - work.elapsed - one.total
            if spare < 0:
                continue
            quarters = min(int(4 * spare * speed.step / rows), 4 * (MOST_PASSES - 1))
            longer = (passes(at, 1 + more / 4, rows, speed, work) for more in range(quarters, 0, -1))
            found.append(next((plan for plan in longer if plan.total <= budget - work.elapsed), one))
    return found


def passes(base: Recipe, epochs: float, rows: int, speed: Rates, work: Workload) -> Candidate:
    """The plan of so many passes over these rows, which may end in a part of one."""
    return predict_plan(replace(base, epochs=epochs, views=views_for(epochs)), rows, speed, work)


def views_for(epochs: float) -> int:
    """Cached views for so many passes; two passes do better on the images as they are: benchmarks/recipes."""
    return min(max(1, int(epochs) - 1), 6)


def row_choices(rows: int) -> list[int]:
    """Numbers of training rows to try: all, and fewer by steps of an eighth, down to 2,000."""
    choices = [rows]
    while choices[-1] * 7 // 8 >= 2_000:
        choices.append(choices[-1] * 7 // 8)
    return choices


def choose(base: Recipe, rates: dict[int, Rates], work: Workload, budget: float) -> Candidate:
    """The plan with the least predicted error among those that fit into the budget, in seconds.

    A resolution whose maps are too coarse to be looked at has to be better by a tenth. Plans that need more
    memory than the machine has are left out, unless all do.

    Raises:
        UsageError: nothing fits; it says how many minutes the smallest study needs.
    """
    found = candidates(base, rates, work, budget)
    if not found:
        fewest = row_choices(work.rows)[-1]
        least = min(
            passes(replace(base, resolution=side), 1.0, fewest, speed, work).total
            for side, speed in rates.items()
        )
        half_minutes = np.ceil((work.elapsed + least) / 30)
        raise UsageError(
            f"Expected a budget in which a study fits, received --minutes {budget / 60:g}. Here the smallest "
            f"study of these images takes about --minutes {half_minutes / 2:g}; with fewer images "
            "(--train-limit) it takes less."
        )
    roomy = [plan for plan in found if plan.peak_mb <= work.memory_mb]
    return min(roomy or found, key=lambda plan: (plan.cost, plan.total))
