"""Training data with a planted fault, each with the treatment that is the right one for it."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, class_counts
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.label_sources import ExaminedSplit, gather_label_sources
from deepsight.treat.treatments import deduplicate, hard_examples, mixing, relabel, weighted_loss
from deepsight.treat.treatments.base import Target, Treatment

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
LABELS = ("relabel", "drop_mislabelled")
WEIGHTS = ("weighted_loss", "weighted_loss_counts")
BIRD, CAT, DEER, DOG, HORSE, SHIP = 2, 3, 4, 5, 7, 8
COPY = 50_000  # ids of planted copies start here


@dataclass(frozen=True)
class Case:
    """A planted fault.

    Attributes:
        name: of the case.
        train: rows of the pool with the fault in them.
        right: names of the treatments that are right, variants of one; empty where nothing is wrong.
        target: what the fault hurts, the same for all treatments.
    """

    name: str
    train: Dataset
    right: tuple[str, ...]
    target: Target


def planted(pool: Dataset, rows: NDArray[np.int64], seed: int) -> list[Case]:
    """The five faults in these rows of the pool, and one of them again where it is hard to see.

    The pool's copies are used for the twins alone.
    """
    base = pool.select(rows)
    return [
        label_noise(base, SHIP, seed),
        confused_labels(base, seed),
        rare_class(base, seed),
        twins(pool, rows),
        starved_pair(base, seed),
        label_noise(base, CAT, seed),
    ]


def label_noise(base: Dataset, spoiled: int, seed: int) -> Case:
    """30 % of a class carry a random other label."""
    rng = np.random.default_rng([seed, 1])
    wrong = chosen(base.labels == spoiled, 0.3, rng)
    labels = base.labels.copy()
    labels[wrong] = (spoiled + rng.integers(1, base.k, len(wrong))) % base.k
    name = f"30 % label noise in {CLASSES[spoiled]}"
    return Case(name, base.with_labels(labels), LABELS, Target(classes=(spoiled,)))


def confused_labels(base: Dataset, seed: int) -> Case:
    """30 % of the dogs are labelled cat."""
    wrong = chosen(base.labels == DOG, 0.3, np.random.default_rng([seed, 2]))
    labels = base.labels.copy()
    labels[wrong] = CAT
    return Case("30 % of dog labelled cat", base.with_labels(labels), LABELS, Target(classes=(CAT, DOG)))


def rare_class(base: Dataset, seed: int) -> Case:
    """Birds keep 2 % of their rows."""
    gone = chosen(base.labels == BIRD, 0.98, np.random.default_rng([seed, 3]))
    train = base.select(np.setdiff1d(np.arange(len(base)), gone))
    return Case("bird with 2 % of its rows", train, WEIGHTS, Target(classes=(BIRD,)))


def twins(pool: Dataset, rows: NDArray[np.int64]) -> Case:
    """Half of the horses stand there a second time, labelled deer."""
    base = set(pool.ids[rows].tolist())
    copies = [i for i, row in enumerate(pool.ids) if row >= COPY and int(row) - COPY in base]
    train = pool.select(np.concatenate([rows, np.array(copies, dtype=np.int64)]))
    return Case("exact twins, horse and deer", train, ("deduplicate",), Target(classes=(DEER, HORSE)))


def starved_pair(base: Dataset, seed: int) -> Case:
    """Cats and dogs keep 15 % of their rows."""
    gone = chosen(np.isin(base.labels, (CAT, DOG)), 0.85, np.random.default_rng([seed, 4]))
    train = base.select(np.setdiff1d(np.arange(len(base)), gone))
    name = "cat and dog with 15 % of their rows"
    return Case(name, train, ("hard_examples",), Target(classes=(CAT, DOG)))


def chosen(among: NDArray[np.bool_], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random share of these rows."""
    rows = np.flatnonzero(among)
    return rng.permutation(rows)[: round(share * len(rows))]


def treatments(
    case: Case, features: NDArray[np.float32], validation: tuple[Ints, Ints], seed: int
) -> list[Treatment]:
    """What our own detectors prescribe for this case, without knowledge of the fault.

    Args:
        case: its train rows.
        features: of these rows, by the frozen backbone.
        validation: labels, and predictions of the start.
        seed: of the detectors.
    """
    train, (labels, predicted) = case.train, validation
    part = ExaminedSplit(train.ids, train.labels, features=features)
    found = label_error_tables(gather_label_sources({"train": part}, train.k, seed=seed), CLASSES)[
        "label_errors"
    ].frame
    by_id = dict(zip(train.ids.tolist(), train.labels.tolist(), strict=True))
    pairs = hard_examples.confused_pairs(confusion_pairs_table(labels, predicted, CLASSES).frame, CLASSES)
    return [
        relabel.relabel_treatment(found, CLASSES),
        relabel.relabel_treatment(found, CLASSES, action="drop"),
        weighted_loss.weighted_by_recall(labels, predicted, train.k),
        *weighted_loss.weighted_by_counts(class_counts(train.labels, CLASSES)),
        *([hard_examples.hard_examples_treatment(pairs)] if pairs else []),
        deduplicate.deduplicate_treatment(exact_twins(train), by_id),
        mixing.mixup_treatment(),
    ]


def exact_twins(train: Dataset) -> pl.DataFrame:
    """Pairs of rows with the same pixels, as the table `duplicates` has them."""
    first: dict[bytes, int] = {}
    pairs = []
    for index, pixels in zip(train.ids.tolist(), train.pixels(), strict=True):
        twin = first.setdefault(pixels.tobytes(), index)
        if twin != index:
            pairs.append(("train", twin, "train", index))
    return pl.DataFrame(pairs, schema=["split_a", "index_a", "split_b", "index_b"], orient="row")


def placebos(train: Dataset, count: int, seed: int) -> list[Treatment]:
    """Treatments without an effect: the same rows in another order."""
    rng = np.random.default_rng([seed, 5])
    orders = [rng.permutation(len(train)) for _ in range(count)]
    return [
        Treatment(f"placebo_{i}", "none", lambda data, recipe, order=order: (data.select(order), recipe))
        for i, order in enumerate(orders)
    ]
