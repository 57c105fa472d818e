"""Confusions: pairs, directions, clusters and hypotheses, on errors that fall by chance."""

from collections.abc import Iterator

import numpy as np
from worlds import Row, World, even_rates, fewer, type_one

from deepsight.core.hypothesis import Group, Hypothesis
from deepsight.interpret.error_analysis.confusion import confusion_direction_table
from deepsight.interpret.error_analysis.confusion_clusters import confusion_clusters_table
from deepsight.interpret.error_analysis.hypothesis_tests import hypotheses_table
from deepsight.interpret.error_analysis.quasi_independence import pair_tests


def rows(repeats: int) -> Iterator[Row]:
    """All simulations of confusions."""
    yield from pairs(fewer(repeats, 4))
    yield from other_verdicts(fewer(repeats, 5))


def unequal() -> Iterator[World]:
    """Errors that follow quasi-independence, with class sizes and error rates that differ."""
    for k in (2, 3, 10, 100):
        n = 500 if k < 100 else 100
        wrong = np.full(k, 0.1)
        yield World(f"k={k}, balanced, n={n * k:,}, errors 10 %", np.full(k, n), even_rates(k, wrong))
        yield World(f"k={k}, balanced, n={n * k:,}, errors 1 %", np.full(k, n), even_rates(k, wrong / 10))
        hard = np.where(np.arange(k) == 0, 0.6, 0.06)
        yield World(f"k={k}, balanced, one class 60 % wrong", np.full(k, n), even_rates(k, hard))
        large = np.where(np.arange(k) == 0, 100 * 100, 100)
        yield World(f"k={k}, one class 100 times as large, errors 10 %", large, even_rates(k, wrong))
        yield World(f"k={k}, all wrong", np.full(k, n), even_rates(k, np.ones(k)))
    yield World("k=10, 5,000 against 9 x 300", np.array([5000] + [300] * 9), even_rates(10, np.full(10, 0.1)))
    yield World("k=3, 5,000, 300, 300", np.array([5000, 300, 300]), even_rates(3, np.full(3, 0.1)))


def pairs(repeats: int) -> Iterator[Row]:
    """Any pair flagged, where errors fall by quasi-independence."""
    rng = np.random.default_rng(5)
    for world in unequal():
        count = repeats if world.k < 100 else fewer(repeats, 10)
        flagged = [pair_tests(c).q_values.min() <= 0.05 for c in world.matrices(count, rng)]
        yield type_one("confusion pairs: any flagged", world.name, flagged)


def spelt_out(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions with this confusion matrix."""
    cells = np.indices(counts.shape).reshape(2, -1)
    return np.repeat(cells[0], counts.ravel()), np.repeat(cells[1], counts.ravel())


def other_verdicts(repeats: int) -> Iterator[Row]:
    """Directions, stable clusters, and the verdict on a pair and on two groups of classes."""
    rng = np.random.default_rng(6)
    for k, n in ((3, 300), (8, 300)):
        names = tuple(f"c{i}" for i in range(k))
        pair = Hypothesis("pair", "a pair", "confused_pair", Group("a", names[:1]), Group("b", names[1:2]))
        half = Group("first", names[: k // 2]), Group("second", names[k // 2 :])
        gap = Hypothesis("gap", "a gap", "recall_gap", *half)
        for balance in ("balanced", "one class 20 times as large"):
            sizes = np.where((np.arange(k) == 0) & (balance != "balanced"), 20 * n, n)
            world = World(f"k={k}, {balance}, errors 10 %", sizes, even_rates(k, np.full(k, 0.1)))
            drawn = [spelt_out(c) for c in world.matrices(repeats, rng)]
            runs = [
                (confusion_direction_table(*d, names).frame["dominant"] != "neither").any() for d in drawn
            ]
            yield type_one("confusion direction: any dominant", world.name, runs)
            tables = [confusion_clusters_table(*d, names, {}, draws=100, seed=0).frame for d in drawn]
            yield type_one("confusion clusters: any stable", world.name, [t["stable"].any() for t in tables])
            verdicts = [hypotheses_table([pair, gap], *d, names).frame["verdict"].to_list() for d in drawn]
            yield type_one("hypothesis: confused pair", world.name, [v[0] != "undecided" for v in verdicts])
            yield type_one("hypothesis: recall gap", world.name, [v[1] != "undecided" for v in verdicts])
