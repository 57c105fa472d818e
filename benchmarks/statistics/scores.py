"""Scores: accuracy, recall, macro-F1, and differences of them between two models and over seeds."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import binom
from worlds import BORDER, LEVEL, Row, coverage, fewer, labels_of, trial, type_one, worlds

from deepsight.core.statistics.intervals import f1_of_counts, weighted_proportions, wilson
from deepsight.core.statistics.macro_f1 import macro_f1_intervals
from deepsight.core.statistics.mcnemar import mcnemar
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from deepsight.core.statistics.significance import holm, runner_up_p


def rows(repeats: int) -> Iterator[Row]:
    """All simulations of scores."""
    yield from proportions()
    yield from macro_f1(repeats)
    yield from two_models(fewer(repeats, 2))
    yield from trials(repeats)
    yield from superlatives(repeats)


def proportions() -> Iterator[Row]:
    """Wilson's interval (accuracy, recall, confusion rates, rejected masks): exact, by enumeration."""
    for n in (10, 50, 500, 10_000):
        x = np.arange(n + 1)
        low, high = wilson(x, n, LEVEL)
        for rate in (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0):
            held = float(binom.pmf(x, n, rate)[(low <= rate + 1e-12) & (rate - 1e-12 <= high)].sum())
            border = BORDER if rate in {0.0, 1.0} else ""
            setting = f"n={n}, rate {rate:g}{border}"
            yield Row("accuracy, recall, rates", setting, "coverage", LEVEL, held, 0)


def macro_f1(repeats: int) -> Iterator[Row]:
    """The interval of the headline."""
    rng = np.random.default_rng(1)
    for world in worlds():
        truth = f1_of_counts(world.sizes[:, None] * world.rates).mean()
        drawn = world.matrices(repeats if world.k < 100 else fewer(repeats, 2), rng)
        _, low, high = macro_f1_intervals(drawn, LEVEL)
        yield coverage("macro-F1", world.name, (low - 1e-9 <= truth) & (truth <= high + 1e-9))


def sizes_of(k: int, n: int, balance: str) -> np.ndarray:
    """Class sizes with n images on average, or with the first half of the classes 100 times as large."""
    if balance == "balanced":
        return np.full(k, n)
    small = max(3, round(2 * n / 101))
    return np.where(np.arange(k) < k // 2, 100 * small, small)


def two_models(repeats: int) -> Iterator[Row]:
    """`compare`: the paired difference of macro-F1, and McNemar's test with its interval."""
    rng = np.random.default_rng(2)
    for k, n in ((2, 50), (2, 500), (3, 50), (3, 500), (10, 20), (10, 200), (100, 10), (100, 50)):
        for balance in ("balanced", "1:100"):
            for name, rate in (("few", -5.0), ("many", -1.5)):
                labels = labels_of(sizes_of(k, n, balance))
                setting = f"k={k}, {balance}, n={len(labels):,}, {name} errors"
                pairs = [trial(labels, k, rng, seeds=1, spread=0.0, rate=rate) for _ in range(repeats)]
                effects = [paired_macro_f1(labels, a, b, k) for a, b in pairs]
                yield coverage("comparison: macro-F1", setting, [e.low <= 0 <= e.high for e in effects])
                yield type_one("comparison: macro-F1", setting, [e.p_value <= 0.05 for e in effects])
                tests = [mcnemar(labels, a[0], b[0]) for a, b in pairs]
                yield coverage("comparison: accuracy", setting, [t.low <= 0 <= t.high for t in tests])
                yield type_one("comparison: accuracy", setting, [t.p_value <= 0.05 for t in tests])


def trials(repeats: int) -> Iterator[Row]:
    """`treat`: one treatment over five seeds, and the verdict over eight treatments (Holm)."""
    rng = np.random.default_rng(3)
    for k, n in ((2, 250), (3, 100), (10, 50), (10, 200), (100, 10)):
        labels = np.repeat(np.arange(k), n)
        for spread in (0.0, 0.1, 0.2, 0.5):
            setting = f"k={k}, n={len(labels):,}, 5 seeds, spread of seeds {spread:g}"
            effects = [
                paired_macro_f1(labels, *trial(labels, k, rng, seeds=5, spread=spread), k)
                for _ in range(repeats)
            ]
            yield coverage("treatment", setting, [e.low <= 0 <= e.high for e in effects])
            yield type_one("treatment", setting, [e.p_value <= 0.05 for e in effects])
            families = [effects[i : i + 8] for i in range(0, len(effects) - 7, 8)]
            alarms = [holm([e.p_value for e in family]).min() <= 0.05 for family in families]
            yield type_one("treatment: any of eight verdicts", setting, alarms)


def superlatives(repeats: int) -> Iterator[Row]:
    """ "Is found best", "rejected most often": the first of equal classes against the next."""
    rng = np.random.default_rng(4)
    for k in (2, 3, 10, 100):
        for n in (20, 500):
            for rate in (0.5, 0.9):
                drawn = rng.binomial(n, rate, size=(repeats, k))
                alarms = [runner_up_p(x, np.full(k, n))[1] <= 0.05 for x in drawn]
                yield type_one("best and worst class", f"k={k}, n={n} each, rate {rate:g}", alarms)
    for k, n in ((4, 20), (10, 20), (10, 500)):
        for rate in (0.5, 0.95):
            weights = np.where(np.arange(k) < k // 2, 1, -1) / (k // 2)
            drawn = rng.binomial(n, rate, size=(repeats, k))
            found = [weighted_proportions(x, np.full(k, n), weights) for x in drawn]
            held = [i.low <= 0 <= i.high for i in found]
            yield coverage("hypothesis: recall gap", f"k={k}, n={n} each, recall {rate:g}", held)
