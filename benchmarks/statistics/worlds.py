"""Made data with a known truth, and the row that a simulation gives."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.95
BORDER = ", at the border"  # ends the setting where the truth is 0 or 1, an end of what is possible


class Row(NamedTuple):
    """One line of results.csv: how often an interval held the truth, or a verdict was wrong.

    No repetitions stand for an exact enumeration.
    """

    finding: str
    setting: str
    measure: str
    nominal: float
    observed: float
    repetitions: int


def fewer(repeats: int, part: int, *, least: int = 20) -> int:
    """Repetitions of a simulation that costs `part` times as much, at least `least` where so many are due."""
    return max(repeats // part, min(repeats, least))


def coverage(finding: str, setting: str, held: Floats | list[bool]) -> Row:
    """The share of intervals that hold the truth."""
    return Row(finding, setting, "coverage", LEVEL, float(np.mean(held)), np.size(held))


def type_one(finding: str, setting: str, alarms: Floats | list[bool]) -> Row:
    """The share of verdicts against a true null."""
    return Row(finding, setting, "type I", round(1 - LEVEL, 3), float(np.mean(alarms)), np.size(alarms))


class World(NamedTuple):
    """A test set by its class sizes (k,) and the chance (k, k) of each class to be called each other."""

    name: str
    sizes: Ints
    rates: Floats

    @property
    def k(self) -> int:
        """Classes."""
        return len(self.sizes)

    def matrices(self, repeats: int, rng: np.random.Generator) -> Ints:
        """Confusion matrices (repeats, k, k) of fresh test sets."""
        drawn = [rng.multinomial(n, p, size=repeats) for n, p in zip(self.sizes, self.rates, strict=True)]
        return np.stack(drawn, axis=1)


def even_rates(k: int, error: Floats) -> Floats:
    """Errors of each class that fall on the others evenly."""
    return np.where(np.eye(k, dtype=bool), 1 - error[:, None], error[:, None] / max(k - 1, 1))


def worlds() -> Iterator[World]:
    """k of 2, 3, 10 and 100; balanced and 1:100; few and many images; no, few, many and only errors."""
    for k in (2, 3, 10, 100):
        for n in (10, 50, 500) if k < 100 else (10, 50):
            for balance in ("balanced", "1:100"):
                sizes = np.full(k, n)
                if balance == "1:100":
                    sizes[: k // 2] = 100 * n
                for name, error in (("0", 0.0), ("1 %", 0.01), ("10 %", 0.1), ("40 %", 0.4), ("all", 1.0)):
                    unlike = error * np.linspace(0.5, 1.5, k) if error < 1 else np.full(k, error)
                    smallest = f"{n} images in the smallest class"
                    border = BORDER if error in {0.0, 1.0} else ""
                    setting = f"k={k}, {balance}, {smallest}, errors {name}{border}"
                    yield World(setting, sizes, even_rates(k, unlike))


def labels_of(sizes: Ints) -> Ints:
    """Labels (n,) with these class sizes."""
    return np.repeat(np.arange(len(sizes)), sizes)


def trial(
    labels: Ints, k: int, rng: np.random.Generator, *, seeds: int, spread: float, gain: float = 0.0,
    rate: float = -2.4, hard: float = 2.0,
) -> tuple[Ints, Ints]:  # fmt: skip
    """Predictions (seeds, n) of a control and an arm whose log-odds of an error are lower by `gain`.

    Images differ in how hard they are, and trainings in their skill by `spread` (log-odds).
    """
    n = len(labels)
    difficulty = rate + hard * rng.standard_normal(n)
    other = (labels + rng.integers(1, k, size=n)) % k
    arms = []
    for shift in (0.0, -gain):
        skill = spread * rng.standard_normal((seeds, 1))
        wrong = rng.random((seeds, n)) < 1 / (1 + np.exp(-(difficulty + skill + shift)))
        arms.append(np.where(wrong, other, labels))
    return arms[0], arms[1]
