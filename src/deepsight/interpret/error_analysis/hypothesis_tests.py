"""Tests of the hypotheses registered before training, and findings that none of them named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.hypothesis import Group, Hypothesis
from deepsight.core.statistics.clusters import worth_of_cells
from deepsight.core.statistics.intervals import Interval, confusion_counts, weighted_proportions, wilson
from deepsight.core.statistics.significance import binomial_lower_p, binomial_upper_p, group_difference_p
from deepsight.interpret.error_analysis.quasi_independence import PairTests, pair_tests

FDR = 0.05  # of the pairs that are flagged, as in `confusion_pairs`
TESTS = {
    "recall_gap": "difference in mean recall; interval over images, p by exact permutation of classes",
    "confused_pair": "share of one class's errors that go to the other, above chance, in the weaker "
    "direction; interval and exact p over images",
}
FOUND = "found in the same images; register it before the next study"

UNITS = {
    "name": "name of the hypothesis",
    "statement": "the expectation",
    "test": "what was compared, and over what the interval and p are taken",
    "effect": "share; positive as the hypothesis expects",
    "ci_low": "effect, low end over images",
    "ci_high": "effect, high end over images",
    "p_value": "two-sided, of no effect",
    "p_over": "what the p-value takes as random: images or classes",
    "verdict": "supported, refuted or undecided",
    "registered": "whether it was registered before training",
    "note": "remark",
}


@dataclass(frozen=True)
class TestResult:
    """The effect that a hypothesis is about, with its interval and p-value."""

    effect: Interval
    p_value: float
    p_over: str

    def verdict(self, alpha: float) -> str:
        """Supported where interval and p both exclude 0 on the expected side, refuted on the other."""
        if self.p_value > alpha or self.effect.low <= 0 <= self.effect.high:
            return "undecided"
        return "supported" if self.effect.value > 0 else "refuted"


def hypotheses_table(
    hypotheses: Iterable[Hypothesis],
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    *,
    image_groups: Ints | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Table:
    """A verdict for each registered hypothesis, then findings that none of them named: table `hypotheses`.

    A hypothesis is supported where the image-level interval lies above 0 and p is at most 1 - level, refuted
    where it lies below 0 and p is at most 1 - level, and undecided otherwise. For groups of classes p is from
    an exact permutation over classes, so that a difference that would hold for other images of these classes
    but not for other classes stays undecided. A confused pair that no hypothesis named is listed as not
    registered and undecided, since the same data cannot test it.

    Args:
        hypotheses: registered before training.
        labels, predicted: int64 (n,), positions in `classes`.
        image_groups: int64 (n,), which images belong together; intervals and tests over images are then over
            such groups.
        level: coverage of the intervals; 1 - level bounds p.
        seed: draws the permutations where there are more than 20,000 of them.

    Raises:
        DeepSightError: a hypothesis names a class that the data does not have.
    """
    stated = tuple(hypotheses)
    for hypothesis in stated:
        hypothesis.require_classes(classes)
    counts = confusion_counts(labels, predicted, len(classes))
    worth = worth_of_cells(labels, predicted, len(classes), image_groups)
    null = pair_tests(counts, worth, fdr=FDR)  # once: it takes seconds for a thousand classes
    found = unregistered(stated, counts, null, classes)
    outcomes = {h: tested_hypothesis(h, counts, worth, null, classes, level, seed) for h in (*stated, *found)}
    rows = [hypothesis_row(h, outcomes[h], outcomes[h].verdict(1 - level), "") for h in stated]
    rows += [hypothesis_row(h, outcomes[h], "undecided", FOUND) for h in found]
    frame = pl.DataFrame(rows, schema=SCHEMA)
    known = frame.filter("registered")
    return Table(
        frame=frame,
        units=UNITS,
        n=len(labels),
        method=f"Intervals at {level:.0%} from Wilson ends (Zou & Donner 2008; conservative near a recall "
        "of 1 with 20 images of a class); exact permutation over classes; for pairs, exact binomial tests "
        "of both directions against quasi-independence (Goodman 1968), of which both must hold. Registered "
        "before training.",
        caption=f"{int((known['verdict'] == 'supported').sum())} of {len(known)} hypotheses are supported, "
        f"{int((known['verdict'] == 'refuted').sum())} refuted; "
        f"{len(frame) - len(known)} confused pairs were not foreseen.",
    )


SCHEMA: dict[str, Any] = {
    **dict.fromkeys(UNITS, pl.String),
    **dict.fromkeys(("effect", "ci_low", "ci_high", "p_value"), pl.Float64),
    "registered": pl.Boolean,
}


def hypothesis_row(hypothesis: Hypothesis, outcome: TestResult, verdict: str, note: str) -> dict[str, Any]:
    return {
        "name": hypothesis.name,
        "statement": hypothesis.statement,
        "test": TESTS[hypothesis.test],
        "effect": outcome.effect.value,
        "ci_low": outcome.effect.low,
        "ci_high": outcome.effect.high,
        "p_value": outcome.p_value,
        "p_over": outcome.p_over,
        "verdict": verdict,
        "registered": not note,
        "note": note,
    }


def tested_hypothesis(
    hypothesis: Hypothesis, counts: NDArray[np.int64], worth: Floats, null: PairTests,
    classes: Sequence[str], level: float, seed: int,
) -> TestResult:  # fmt: skip
    """The outcome of the test that the hypothesis names, on a confusion matrix (k, k)."""
    first = np.isin(classes, hypothesis.first.classes)
    second = np.isin(classes, hypothesis.second.classes)
    if hypothesis.test == "recall_gap":
        return recall_gap(counts, worth, first, second, level, seed)
    return pair_excess(counts, worth, null, int(first.argmax()), int(second.argmax()), level)


def recall_gap(
    counts: NDArray[np.int64], worth: Floats, first: NDArray[np.bool_], second: NDArray[np.bool_],
    level: float, seed: int,
) -> TestResult:  # fmt: skip
    """Mean recall of the first group of classes minus that of the second.

    Classes of neither group take no part in the permutation.
    """
    chosen = first | second
    hits, n = np.diag(counts)[chosen], counts.sum(axis=1)[chosen]
    weights = np.where(first[chosen], 1 / first.sum(), -1 / second.sum())
    p = group_difference_p(hits / np.maximum(n, 1), first[chosen], seed=seed)
    share = np.diag(worth)[chosen]
    return TestResult(weighted_proportions(hits * share, n * share, weights, level), p, "classes")


def pair_excess(
    counts: NDArray[np.int64], worth: Floats, null: PairTests, a: int, b: int, level: float
) -> TestResult:
    """Whether two classes are confused more often than chance explains, in both directions.

    In each direction, the share of the errors of one class that fall on the other, minus the share that
    chance explains (`pair_tests`). Effect and ends are those of the weaker direction: the claim holds only
    where both directions exceed chance (intersection-union test, Berger 1982). One direction refutes it, at
    half the level each. Without an error in either class, or with only two classes, nothing can be inferred:
    the interval is [-1, 1] and p is 1.
    """
    ways = ([a, b], [b, a])
    landed, trials = counts[ways] * worth[ways], null.trials[ways] * worth[ways]
    chance = null.shares[ways]
    if len(counts) < 3 or not trials.all():
        return TestResult(Interval(0.0, -1.0, 1.0), 1.0, "images")
    low, high = wilson(landed, trials, level)
    above = float(binomial_upper_p(landed, trials, chance).max())
    below = 2 * float(binomial_lower_p(landed, trials, chance).min())
    ends = (float(side.min()) for side in (landed / trials - chance, low - chance, high - chance))
    return TestResult(Interval(*ends), min(1.0, 2 * min(above, below)), "images")


def unregistered(
    stated: Iterable[Hypothesis], counts: NDArray[np.int64], null: PairTests, classes: Sequence[str]
) -> list[Hypothesis]:
    """The flagged confusion pairs that no hypothesis named, each once, most frequent first."""
    named = {frozenset(h.first.classes + h.second.classes) for h in stated if h.test == "confused_pair"}
    cells = np.argwhere(null.q_values <= FDR)
    flagged = sorted((-int(counts[i, j]), classes[i], classes[j]) for i, j in cells)
    ways = {(a, b) for _, a, b in flagged}
    found: dict[frozenset[str], Hypothesis] = {}
    for _, a, b in flagged:
        pair = frozenset({a, b})
        if pair not in named and pair not in found:
            mutual = (b, a) in ways
            said = f"{a} and {b} are confused with each other." if mutual else f"{a} is mistaken for {b}."
            found[pair] = Hypothesis(f"{a}-{b}", said, "confused_pair", Group(a, (a,)), Group(b, (b,)))
    return list(found.values())
