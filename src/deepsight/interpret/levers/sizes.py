"""The sizes of the levers' trials: counts, so that a stored study can be repeated on any machine."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from deepsight.core.errors import DeepSightError


@dataclass(frozen=True)
class LeverSizes:
    """Sizes of the levers' trials; 0 leaves a lever out.

    Attributes:
        images: test images examined: every error, and a sample of the others.
        views: jittered copies of each.
        retrainings: bootstrap trainings of the last stage.
        retraining_rows: training rows of each.
        part_percent: share of the training rows, in percent, on which whole trainings are tried.
        parts: such trainings by the model's own recipe.
        label_trainings: 1 finds the training images behind the errors, by an exact head; 2 or more are also
            trainings without suspected images, and as many without others.
        changes: changes of the recipe tried on a part: a larger input, more passes, a smaller input, a deeper
            backbone, fewer passes, in this order.
        objects: test images whose background is swapped.
        repair_images: validation images on which a repair is chosen.
        equal_time: how many of these changes are also tried in equal time.
        unused_trainings: trainings with the rows that the plan left unused, and as many without them.
        swap_rows: training images whose background is swapped.
        swap_trainings: trainings on them by the model's recipe, and as many on their matched placebo.
    """

    images: int = 1000
    views: int = 2
    retrainings: int = 3
    retraining_rows: int = 1500
    part_percent: int = 50
    parts: int = 1
    label_trainings: int = 1
    changes: int = 0
    objects: int = 0
    repair_images: int = 0
    equal_time: int = 0
    unused_trainings: int = 0
    swap_rows: int = 0
    swap_trainings: int = 0

    def __post_init__(self) -> None:
        negative = [name for name, value in asdict(self).items() if value < 0]
        if negative or self.part_percent > 90:
            raise DeepSightError(
                f"Expected sizes of at least 0 and parts of at most 90 %, received {asdict(self)}."
            )


@dataclass(frozen=True)
class LeverRates:
    """Seconds per image on this machine.

    Attributes:
        forward: a forward pass through the network.
        frozen: a forward pass through its frozen stages.
        trainable: a forward pass through its trained stages.
        step: a training step of the recipe.
        mask: cutting out the object.
    """

    forward: float
    frozen: float
    trainable: float
    step: float
    mask: float


LAST_STAGE = 0.5  # of a step's time where the last stage alone is trained; measured for EfficientNet-Lite0
HEAD_SECONDS = 1.5  # to fit the exact head and to leave rows out of it
LARGER = 1.6  # times the time of a step at 32 px more

PARTS = (3, 6, 12, 25)  # percent of the rows; smaller than the ladder's
FEWEST_PART_ROWS = 1500

# In increasing order. A plan takes the last that fits: more time allows more levers, replicates and images.
LADDER: Sequence[LeverSizes] = (
    LeverSizes(300, 1, 0, 0, 0, 0, 0),
    LeverSizes(500, 1, 2, 512, 0, 0, 0),
    LeverSizes(500, 1, 3, 512, 0, 0, 1),
    LeverSizes(600, 2, 3, 512, 50, 1, 1),
    LeverSizes(900, 2, 3, 512, 50, 1, 1),
    LeverSizes(900, 2, 3, 768, 50, 1, 1, repair_images=200),
    LeverSizes(1000, 2, 3, 1024, 50, 1, 1, objects=100, repair_images=300),
    LeverSizes(1000, 2, 3, 1024, 50, 1, 1, changes=1, objects=150, repair_images=300),
    LeverSizes(
        1000, 2, 3, 1024, 50, 1, 1, changes=1, objects=150, repair_images=300, swap_rows=300, swap_trainings=1
    ),
    LeverSizes(
        1000, 3, 4, 1024, 50, 1, 2, changes=1, objects=200, repair_images=300, swap_rows=400, swap_trainings=1
    ),
    LeverSizes(
        1200, 3, 4, 1536, 50, 1, 2, changes=2, objects=200, repair_images=400, swap_rows=600, swap_trainings=1
    ),
    LeverSizes(
        1500, 4, 4, 2048, 50, 1, 2, changes=3, objects=250, repair_images=400, equal_time=1,
        swap_rows=600, swap_trainings=2,
    ),
    LeverSizes(
        2000, 5, 4, 3072, 50, 2, 2, changes=4, objects=300, repair_images=500, equal_time=1,
        swap_rows=800, swap_trainings=2,
    ),
    LeverSizes(
        2500, 7, 4, 4096, 50, 2, 3, changes=5, objects=400, repair_images=500, equal_time=2,
        swap_rows=1000, swap_trainings=2,
    ),
    LeverSizes(
        3000, 7, 6, 6144, 50, 2, 3, changes=5, objects=500, repair_images=1000, equal_time=3,
        unused_trainings=1, swap_rows=1000, swap_trainings=2,
    ),
)  # fmt: skip


LEAST = LADDER[2]  # the least that a study with planned levers runs, however late it is


def lever_seconds(sizes: LeverSizes, rates: LeverRates, *, rows: int, epochs: float) -> float:
    """Seconds that these sizes take.

    Args:
        sizes: of the trials.
        rates: of this machine.
        rows: training rows of the model.
        epochs: passes of its recipe.
    """
    part_steps = steps_of_part(sizes, rows, epochs) * rates.step
    last = last_rate(rates) * sizes.retraining_rows * max(1.0, min(epochs, 2.0))
    tested = sizes.images * rates.trainable
    checks = 2 * sizes.label_trainings if sizes.label_trainings > 1 else 0
    trainings = sizes.retrainings + checks
    labels = sizes.retraining_rows * rates.trainable + HEAD_SECONDS if sizes.label_trainings else 0.0
    changed = sum((LARGER, 2.0, 1 / LARGER, LARGER, 0.5)[: sizes.changes]) + sizes.equal_time
    swapped = 2 * sizes.swap_trainings * (2 * epochs * rates.step + rates.frozen + rates.trainable)
    return (
        sizes.images * (rates.frozen + sizes.views * rates.forward)
        + labels
        + trainings * (last + tested + sizes.retraining_rows * rates.trainable)
        + sizes.parts * (part_steps + tested)
        + changed * (part_steps + tested + sizes.images * rates.frozen)
        + 2 * sizes.unused_trainings * (rows * (epochs * rates.step + 2 * rates.frozen) + tested)
        + sizes.swap_rows * (rates.mask + swapped)
        + sizes.objects * (rates.mask + 6 * rates.forward)
        + (3 * sizes.repair_images + (sizes.images if sizes.repair_images else 0)) * rates.forward
    )


def last_rate(rates: LeverRates) -> float:
    """Seconds of one image in a step of the last stage alone."""
    return LAST_STAGE * rates.step


def steps_of_part(sizes: LeverSizes, rows: int, epochs: float) -> float:
    """Images that a training on a part sees: as many passes over it as the recipe has."""
    return rows * sizes.part_percent / 100 * epochs


def affordable_lever_sizes(seconds: float, rates: LeverRates, *, rows: int, epochs: float) -> LeverSizes:
    """The last step of the ladder that fits into these seconds, with the largest part of the rows that fits.

    Where rows are many, smaller parts leave time for more levers. Where nothing fits, it is the first step.

    Args:
        seconds: the time for levers.
        rates: of this machine.
        rows: training rows of the model.
        epochs: passes of its recipe.
    """
    steps = (step for sizes in LADDER for step in with_parts(sizes, rows))
    fitting = [sizes for sizes in steps if lever_seconds(sizes, rates, rows=rows, epochs=epochs) <= seconds]
    return fitting[-1] if fitting else LADDER[0]


def with_parts(sizes: LeverSizes, rows: int) -> list[LeverSizes]:
    """These sizes with smaller parts of enough rows, the smallest first, and unchanged at the end."""
    smaller = [percent for percent in PARTS if percent < sizes.part_percent]
    enough = [percent for percent in smaller if rows * percent / 100 >= FEWEST_PART_ROWS]
    return [*(replace(sizes, part_percent=percent) for percent in enough), sizes]


def smaller_of(one: LeverSizes, other: LeverSizes) -> LeverSizes:
    """The element-wise minimum of two sizes."""
    pairs = zip(asdict(one).items(), asdict(other).values(), strict=True)
    return LeverSizes(**{name: min(a, b) for (name, a), b in pairs})
