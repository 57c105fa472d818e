"""Interventions: objects on other backgrounds, and the checks of the maps."""

from collections.abc import Iterator

import numpy as np
from worlds import Row, coverage, fewer, type_one

from deepsight.interpret.background.clustered_errors import clustered_estimate, difference_of_means
from deepsight.interpret.background.effects import background_gaps
from deepsight.interpret.background.evidence_screen import auroc
from deepsight.interpret.background.swap_design import make_swap_design
from deepsight.interpret.background.verdict import BIASED, CLEAR, context_verdict
from deepsight.interpret.faithfulness.checks import mean_interval

DELTA = 0.05


def rows(repeats: int) -> Iterator[Row]:
    """All simulations of interventions."""
    yield from context(fewer(repeats, 6))
    yield from paired_swaps(fewer(repeats, 8))
    yield from means(repeats)
    yield from screening(repeats)


def context(repeats: int) -> Iterator[Row]:
    """The gap between own and other backgrounds, at a true gap of δ, where neither verdict is right."""
    rng = np.random.default_rng(11)
    for k, objects in ((2, 50), (3, 100), (10, 100), (10, 300)):
        labels = np.repeat(np.arange(k), 3 * objects // k)
        for base in (0.95, 0.6):
            held, biased, clear = [], [], []
            for run in range(repeats):
                usable = np.ones(len(labels), dtype=bool)
                chosen = make_swap_design(labels, usable, objects=objects, donors=5, seed=run)
                own = labels[chosen.subject] == labels[chosen.donor]
                hard, odd = (s * rng.standard_normal(len(labels)) for s in (1.5, 0.7))
                level = np.log(base / (1 - base)) * 1.4
                whole = level - hard[chosen.subject] - odd[chosen.donor]
                truth = gap_truth(level, 0.0)
                shift = shift_for(level, DELTA)
                right = rng.random(len(whole)) < 1 / (1 + np.exp(-(whole - np.where(own, 0, shift))))
                effect, _ = background_gaps(right, chosen, labels, test="swap", note="")
                _, low, high = effect.estimate.interval()
                held.append(low <= DELTA <= high)
                verdict = context_verdict(effect, delta=DELTA, q=0.0, holds=True)
                biased.append(verdict == BIASED)
                clear.append(verdict == CLEAR)
            setting = f"k={k}, {objects} objects x 10 donors, accuracy about {truth:.2f}"
            yield coverage("context: gap", setting, held)
            yield type_one("context: BIASED at a gap of exactly delta", setting, biased)
            yield type_one("context: CLEAR at a gap of exactly delta", setting, clear)


GRID = np.random.default_rng(0).standard_normal(100_000) * np.hypot(1.5, 0.7)


def gap_truth(level: float, shift: float) -> float:
    """Accuracy over objects and donors at this level (log-odds)."""
    return float((1 / (1 + np.exp(-(level - shift - GRID)))).mean())


def shift_for(level: float, gap: float) -> float:
    """The shift of log-odds that lowers the accuracy by `gap`."""
    low, high = 0.0, 5.0
    for _ in range(40):
        middle = (low + high) / 2
        if gap_truth(level, 0.0) - gap_truth(level, middle) < gap:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def paired_swaps(repeats: int) -> Iterator[Row]:
    """The difference of two treatments of the same composites, as the placebo and the pair swap take it."""
    rng = np.random.default_rng(12)
    for objects in (20, 60, 200):
        subject = np.tile(np.repeat(np.arange(objects), 3), 2)
        donor = np.tile(rng.integers(objects, 2 * objects, size=3 * objects), 2)
        treated = np.repeat([True, False], 3 * objects)
        for base in (0.5, 3.0):
            held = []
            for _ in range(repeats):
                hard = 1.5 * rng.standard_normal(2 * objects)
                p = 1 / (1 + np.exp(-(base - hard[subject] - 0.5 * hard[donor])))
                outcome = (rng.random(len(p)) < p).astype(np.float64)
                value, part = difference_of_means(outcome, treated)
                _, low, high = clustered_estimate(value, part, subject, donor).interval()
                held.append(low <= 0 <= high)
            yield coverage("context: placebo and pair swap", f"{objects} objects, log-odds {base:g}", held)


def means(repeats: int) -> Iterator[Row]:
    """Student's interval of the paired comparisons of maps."""
    rng = np.random.default_rng(13)
    for n in (10, 30, 80, 500):
        for kind, draw in (
            ("normal", rng.standard_normal),
            ("skewed", lambda s: rng.exponential(size=s) - 1),
        ):
            found = [mean_interval(x) for x in draw((repeats, n))]
            yield coverage("maps: mean difference", f"n={n}, {kind}", [i.low <= 0 <= i.high for i in found])


def screening(repeats: int) -> Iterator[Row]:
    """The area under the curve of the screen."""
    rng = np.random.default_rng(14)
    for n, share in ((60, 0.2), (300, 0.1), (300, 0.5)):
        held = []
        for _ in range(repeats):
            positive = np.arange(n) < share * n
            _, low, high = auroc(rng.standard_normal(n), positive).interval()
            held.append(low <= 0 <= high)
        yield coverage("context: screen", f"n={n}, {share:.0%} lost", held)
