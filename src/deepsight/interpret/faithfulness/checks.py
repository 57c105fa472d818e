"""Can the maps be believed? Four checks, and the sentence that refuses maps that fail one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import t

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.evidence import Table
from deepsight.core.open_model import Predict
from deepsight.core.statistics.intervals import Interval
from deepsight.interpret.faithfulness import insertion_deletion as insertion
from deepsight.interpret.faithfulness.grid_pointing import MapsOf, energy_in_own_tile, make_mosaics
from deepsight.interpret.faithfulness.model_randomisation import mean_correlations

UNLIKE = 0.3  # rank correlation with randomised maps: below it less than a tenth of the variance is shared
RANDOMISED = "randomised down to"
FEWEST = 30  # images or mosaics; on fewer, good maps would fail too
STRONG = (": centre", ": edges")  # baselines that do well where objects stand in the middle
DECISIVE = ("chance", "random weights", "random order")
UNITS = {
    "check": "name of the check",
    "value": "right answers: mean recall, 0 to 1; grid pointing: share of evidence, 0 to 1; insertion, "
    "deletion: probability gained or lost, mean over the steps; randomisation: rank correlation, -1 to 1",
    "baseline": "the same for a map that knows nothing about the model",
    "ci_low": "low end at 95 % (randomisation: 99 %), as wide as that of value minus baseline",
    "ci_high": "high end at 95 % (randomisation: 99 %), as wide as that of value minus baseline",
    "passed": "whether the interval lies above the baseline (randomisation: below 0.3; false if above 0 but "
    "not below 0.3); null where nothing is required, or the interval does not decide",
    "n": "mosaics, images or seeds that the interval is over",
}


@dataclass(frozen=True)
class Check:
    """One row: a measured value beside that of a map that knows nothing about the model.

    `passed` is None for a comparison that is shown but does not decide: a strong baseline, or fewer than 30
    images or mosaics.
    """

    name: str
    value: float
    baseline: float
    low: float
    high: float
    passed: bool | None
    n: int


def mean_interval(values: Floats, level: float = 0.95) -> Interval:
    """Mean and Student's t interval over independent values (n ≥ 2)."""
    mean, error = float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5
    half = float(t.ppf(0.5 + level / 2, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def accuracy_check(labels: Ints, predicted: Ints) -> Check:
    """Whether the model is better than chance: the maps of a model that has learnt nothing are refused.

    Args:
        labels, predicted: int64 (n,), of all images, not only of those that are classified correctly.
    """
    classes, counts = np.unique(labels, return_counts=True)
    hits = np.array([(predicted[labels == c] == c).sum() for c in classes])
    rate = (hits + 1) / (counts + 2)  # never 0 or 1, so that a class that is always called has an error too
    error = float(np.sqrt((rate * (1 - rate) / counts).sum())) / len(classes)
    value, baseline, half = float((hits / counts).mean()), 1 / len(classes), 1.96 * error
    low = value - half
    return Check("right answers: chance", value, baseline, low, value + half, low > baseline, len(labels))


def grid_pointing_checks(
    maps_of: MapsOf,
    images: Pixels,
    labels: Ints,
    *,
    random_maps_of: MapsOf | None = None,
    tiles: int = 2,
    count: int = 100,
    seed: int = 0,
) -> list[Check]:
    """The share of evidence in the tile of the class asked for, against chance and random weights.

    Chance is 1 / tiles²: what a uniform map gets, and on average a map that is the same for every class.

    Args:
        maps_of: mosaics and classes (m, c) -> maps (m, c, h, w); see `energy_in_own_tile`.
        images: uint8 (n, h, w, 3), classified correctly and confidently (`confident_and_correct`).
        labels: int64 (n,).
        random_maps_of: the same of a model with random weights.
        tiles: along one side of a mosaic.
        count: mosaics; the model explains tiles² classes in each.
        seed: random seed of the mosaics.

    Raises:
        DeepSightError: fewer than tiles² classes, or fewer than 4 map cells a side in a tile.
    """
    grid = make_mosaics(images, labels, tiles=tiles, count=count, seed=seed)
    own = energy_in_own_tile(maps_of, grid).mean(axis=1)
    checks = [paired_check("grid pointing", "chance", own, np.full(count, 1 / tiles**2))]
    if random_maps_of is not None:
        random = energy_in_own_tile(random_maps_of, grid).mean(axis=1)
        checks.append(paired_check("grid pointing", "random weights", own, random))
    return checks


def insertion_deletion_checks(
    maps: NDArray[np.floating],
    images: Pixels,
    classes: Ints,
    predict: Predict,
    *,
    zero: tuple[int, int, int] = (128, 128, 128),
    steps: int = insertion.MANY_STEPS,
    seed: int = 0,
) -> list[Check]:
    """How fast the class's probability falls, and returns, as pixels change in the map's order.

    Args:
        maps: (n, h, w), for `classes`.
        images: uint8 (n, H, W, 3).
        classes: int64 (n,).
        predict: images -> logits (n, k); called 8 (steps − 1) times on all n images.
        zero: RGB that preprocessing maps to about 0; deletion replaces pixels by it.
        steps: equal parts of the pixels.
        seed: random seed of the random order.

    Returns:
        For deletion and insertion, a check against each baseline. Only the random order decides: the centre
        and the edges are strong baselines where objects are centred, and are shown for comparison.
    """
    empty = np.broadcast_to(np.array(zero, dtype=np.uint8), images.shape)
    orders = {"map": insertion.upsampled(maps, *images.shape[1:3])}
    cells = (maps.shape[1], maps.shape[2])
    for name in insertion.BASELINES:
        orders[name] = insertion.baseline_importance(name, images, cells=cells, seed=seed)
    checks = []
    for word, start, end, sign in (
        ("deletion", images, empty, -1.0),
        ("insertion", insertion.blurred_images(images), images, 1.0),
    ):
        first = insertion.probability_of(predict(start), classes)
        gained = {
            name: sign * (insertion.curve_mean(start, end, order, classes, predict, steps=steps) - first)
            for name, order in orders.items()
        }
        checks += [paired_check(word, name, gained["map"], gained[name]) for name in insertion.BASELINES]
    return checks


def paired_check(word: str, name: str, of_map: Floats, of_baseline: Floats) -> Check:
    """A paired comparison over images or mosaics."""
    baseline = float(of_baseline.mean())
    value, low, high = (baseline + end for end in mean_interval(of_map - of_baseline))
    decides = name in DECISIVE and len(of_map) >= FEWEST
    passed = low > baseline if decides else None
    return Check(f"{word}: {name}", value, baseline, low, high, passed, len(of_map))


def model_randomisation_check(
    maps: NDArray[np.floating], randomised: NDArray[np.floating], *, depth: str
) -> Check:
    """Whether the maps change when the weights from the head down to `depth` are randomised.

    Signed maps of random weights correlate with the model's by chance, with either sign. The check passes
    where the interval of the mean over seeds lies below 0.3, a bound of equivalence: not to be told from 0
    would be no proof of change. It fails where the interval reaches 0.3 and lies above 0, as for a map that
    shows the same places for any weights; an interval that holds both decides nothing. It is at 99 %, since
    several depths are tried and one failure refuses the maps.

    Args:
        maps: (n, h, w), of the model.
        randomised: (s, n, h, w), of s ≥ 2 randomised copies (`randomise_cascading`).
        depth: the deepest layer that was randomised.
    """
    value, low, high = mean_interval(mean_correlations(maps, randomised), level=0.99)
    passed = True if high < UNLIKE else False if low > 0 else None
    return Check(f"{RANDOMISED} {depth}", value, 0.0, low, high, passed, len(randomised))


def faithfulness_table(checks: Sequence[Check], *, family: str) -> Table:
    """The table `faithfulness` of one method at one layer, such as "HiResCAM at layer3"."""
    frame = pl.DataFrame(
        {
            "check": [c.name for c in checks],
            "value": [c.value for c in checks],
            "baseline": [c.baseline for c in checks],
            "ci_low": [c.low for c in checks],
            "ci_high": [c.high for c in checks],
            "passed": pl.Series([c.passed for c in checks], dtype=pl.Boolean),
            "n": [c.n for c in checks],
        }
    )
    method = (
        "Mean recall; grid pointing (Böhle et al. 2021); insertion and deletion (Petsiuk et al. 2018); model "
        "randomisation (Adebayo et al. 2018); Student's t intervals over mosaics, images and seeds."
    )
    passed = [c.name for c in checks if c.passed]
    said = f"{family} passed: {in_groups(passed)}." if passed else f"Nothing was decided about {family}."
    caption = (
        refusal_sentence(frame, family=family) or f"{said}{open_checks(checks)}{strong_baselines(checks)}"
    )
    return Table(frame, UNITS, max((c.n for c in checks), default=0), method, caption)


def in_groups(names: Sequence[str]) -> str:
    """Names of checks, each kind once: "grid pointing (against chance, random weights)"."""
    groups: dict[str, list[str]] = {}
    for name in names:
        kind, _, baseline = name.partition(": ")
        if name.startswith(RANDOMISED):
            kind, baseline = RANDOMISED, name.removeprefix(RANDOMISED).strip()
        groups.setdefault(kind, []).append(baseline)
    said = {RANDOMISED: "model randomisation (down to "}
    return ", ".join(
        f"{said.get(kind, f'{kind} (against ')}{', '.join(against)})" for kind, against in groups.items()
    )


def open_checks(checks: Sequence[Check]) -> str:
    """Which randomisations the seeds could not decide; empty for none."""
    names = [c.name for c in checks if c.passed is None and c.name.startswith(RANDOMISED)]
    return f" Undecided: {', '.join(names)}." if names else ""


def strong_baselines(checks: Sequence[Check]) -> str:
    """Which baselines that know nothing about the model the maps are not shown to beat; empty for none."""
    shown = [c for c in checks if c.name.endswith(STRONG) and c.n >= FEWEST and c.low <= c.baseline]
    if not shown:
        return ""
    names = ", ".join(f"{c.name} ({c.value:.2f} against {c.baseline:.2f})" for c in shown)
    return f" Not shown to beat maps that know nothing about the model: {names}."


def refusal_sentence(frame: pl.DataFrame, *, family: str) -> str | None:
    """Why the maps must not be shown, as a sentence, or None where no check failed.

    Args:
        frame: of the table `faithfulness`.
        family: method and layer of the maps.
    """
    failed = frame.filter(passed=False)
    if failed.is_empty():
        return None
    reasons = "; ".join(
        f"{row['check']} {row['value']:.2f} against {row['baseline']:.2f}"
        for row in failed.iter_rows(named=True)
    )
    return (
        f"The maps ({family}) are refused: they do no better than maps that know nothing about the model "
        f"({reasons})."
    )
