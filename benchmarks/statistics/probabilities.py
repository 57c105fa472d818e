"""Probabilities: calibration, the shares of causes, slices, and the quality of images."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy.special import softmax
from worlds import BORDER, LEVEL, Row, coverage, fewer, type_one

from deepsight.interpret.error_analysis.calibration import consistency_test, rms_error, squared_error
from deepsight.interpret.error_analysis.cause_shares import cause_shares
from deepsight.interpret.robustness.image_quality import fit_quality_risk
from deepsight.interpret.slices.slices import slices_table


def rows(repeats: int) -> Iterator[Row]:
    """All simulations of probabilities."""
    yield from calibration(fewer(repeats, 4))
    yield from shares(fewer(repeats, 2))
    yield from slices(fewer(repeats, 25, least=10))
    yield from quality(fewer(repeats, 10))


def stated(n: int, k: int, temperature: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and correctness (n,) of a model whose logits are too large by 1 / temperature."""
    logits = 3.0 * rng.standard_normal((n, k))
    true = softmax(logits, axis=1)
    labels = (rng.random((n, 1)) > true.cumsum(axis=1)).sum(axis=1).clip(max=k - 1)
    said = softmax(logits / temperature, axis=1)
    return said.max(axis=1), (said.argmax(axis=1) == labels).astype(np.float64)


def calibration(repeats: int) -> Iterator[Row]:
    """The interval of the calibration error, and the test of "is it calibrated?"."""
    rng = np.random.default_rng(7)
    for k in (2, 3, 10, 100):
        for temperature in (1.0, 0.7):
            truth = max(
                squared_error(*stated(200_000 if k < 100 else 50_000, k, temperature, rng), bins=15)[0], 0
            )
            truth = 0.0 if temperature == 1 else truth**0.5
            for n in (200, 2000):
                kind = f"calibrated{BORDER}" if temperature == 1 else "too sure"
                setting = f"k={k}, n={n:,}, {kind}"
                samples = [stated(n, k, temperature, rng) for _ in range(repeats)]
                intervals = [rms_error(*s, bins=15, level=LEVEL) for s in samples]
                yield coverage("calibration error", setting, [i.low <= truth <= i.high for i in intervals])
                if temperature == 1:
                    p = [
                        consistency_test(*s, bins=15, draws=100, seed=i).p_value
                        for i, s in enumerate(samples)
                    ]
                    yield type_one("calibrated or not", setting, [value <= 0.05 for value in p])


def supported(n: int, rng: np.random.Generator, means: tuple[float, ...], certain: bool) -> np.ndarray:
    """Parts (n, 4) of three causes with these mean supports, and the rest; 0 or 1 where certain."""
    support = np.stack([rng.beta(3 * m, 3 * (1 - m), n) for m in means], axis=1)
    if certain:
        support = (rng.random(support.shape) < support).astype(np.float64)
    left = np.cumprod(1 - support, axis=1)
    before = np.concatenate([np.ones((n, 1)), left[:, :-1]], axis=1)
    return np.concatenate([support * before, left[:, -1:]], axis=1)


def shares(repeats: int) -> Iterator[Row]:
    """Shares of causes, also where the last one was looked for in a sample of the errors."""
    rng = np.random.default_rng(8)
    for means in ((0.05, 0.1, 0.3), (0.3, 0.02, 0.5)):
        left = np.cumprod([1.0, *(1 - np.array(means))])
        truth = np.append(left[:-1] * np.array(means), left[-1])
        for n in (30, 200, 1000):
            for examined in (1.0, 0.1) if n > 30 else (1.0,):
                for certain in (False, True):
                    held = []
                    for _ in range(repeats):
                        parts = supported(n, rng, means, certain)
                        parts[int(examined * n) :, 2:] = np.nan
                        found = cause_shares(parts)
                        held.append((found.low <= truth) & (truth <= found.high))
                    kind = "causes certain" if certain else "causes probable"
                    setting = f"{n:,} errors, last cause examined in {examined:.0%}, {kind}, shares {means}"
                    for place, ok in enumerate(np.transpose(held)):
                        yield coverage("ledger shares", f"{setting}, cause {place + 1}", ok)


def slices(repeats: int) -> Iterator[Row]:
    """Any slice confirmed, where errors follow class and doubt alone."""
    for k, n in ((2, 1000), (10, 2000)):
        for doubtful in (False, True):
            alarms = []
            for seed in range(repeats):
                rng = np.random.default_rng([9, seed])
                names = ("brightness", "contrast", "sharpness", "entropy")
                frame = pl.DataFrame({name: rng.random(n) for name in names})
                labels = rng.integers(k, size=n)
                risk = 0.04 + 0.1 * labels / k
                if doubtful:  # the model is unsure of dark images, and says so
                    risk = risk + np.where(frame["brightness"].to_numpy() < 0.2, 0.25, 0)
                predicted = np.where(rng.random(n) < risk, (labels + 1) % k, labels)
                found = slices_table(
                    frame, labels, predicted, tuple(map(str, range(k))), np.arange(n),
                    features=rng.standard_normal((n, max(k, 8))), doubt=risk, clusters=6, seed=seed,
                ).frame  # fmt: skip
                alarms.append(bool(found["confirmed"].any()))
            setting = f"k={k}, n={n:,}, {'dark images doubted' if doubtful else 'classes differ'}"
            yield type_one("slices: any confirmed", setting, alarms)


def quality(repeats: int) -> Iterator[Row]:
    """Faults of images that change nothing: alarms at the 1 % that the test asks for."""
    for k, n, error in ((2, 500, 0.1), (10, 1000, 0.1), (10, 5000, 0.05)):
        alarms = []
        for seed in range(repeats):
            rng = np.random.default_rng([10, seed])
            frame = pl.DataFrame({name: rng.random(n) for name in ("brightness", "contrast", "sharpness")})
            labels = rng.integers(k, size=n)
            risk = fit_quality_risk(frame, labels, rng.random(n) < error * (0.5 + labels / k), k)
            alarms.append(bool(risk.slope.any()))
        setting = f"k={k}, n={n:,}, errors {error:.0%}"
        yield Row("image quality: any fault", setting, "type I", 0.01, float(np.mean(alarms)), repeats)
