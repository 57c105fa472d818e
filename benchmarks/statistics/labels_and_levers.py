"""The number of wrong labels, the flags, what levers mend, and energy-based pointing."""

from collections.abc import Iterator

import numpy as np
from worlds import LEVEL, Row, coverage, fewer, type_one

from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.interpret.attribution.energy_by_class import energy_of_group
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.labels.label_errors import label_error_tables
from deepsight.interpret.labels.label_sources import ExaminedSplit, gather_label_sources
from deepsight.interpret.levers.examined import choose_examined
from deepsight.interpret.levers.levers_table import HELPS, lever_verdict
from deepsight.interpret.levers.net_effect import net_effect
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome


def rows(repeats: int) -> Iterator[Row]:
    """All simulations of labels, levers and pointing."""
    yield from wrong_labels(fewer(repeats, 40, least=6))
    yield from levers(repeats)
    yield from sampled_levers(repeats)
    yield from pointing(repeats)


def wrong_labels(repeats: int) -> Iterator[Row]:
    """The interval of the number of wrong labels, and flags that point at labels that are right.

    Classes are normal clouds that overlap; a share of the labels is replaced, at random or by the class that
    is nearest to the image.
    """
    for k, n, apart in ((3, 300, 3.0), (10, 600, 4.0), (10, 600, 2.5)):
        for share, near in ((0.0, False), (0.05, False), (0.05, True)):
            held, wrongly, claimed, flagged = [], 0, 0.0, 0
            for seed in range(repeats):
                rng = np.random.default_rng([15, seed])
                found, wrong = flags_of(rng, k, n, apart, share, near)
                row = found["label_error_summary"].frame.row(0, named=True)
                held.append(row["ci_low"] <= wrong.sum() <= row["ci_high"])
                frame = found["label_errors"].frame.filter("flagged")
                wrongly += int((~wrong[frame["index"].to_numpy()]).sum())
                claimed += len(frame) * (row["estimated_precision"] or 0.0)
                flagged += len(frame)
            how = "by likeness" if near else "at random"
            kind = f"{share:.0%} wrong {how}" if share else "no label wrong"
            setting = f"k={k}, n={n}, classes {apart:g} apart, {kind}"
            yield coverage("label errors: number", setting, held)
            if flagged:
                finding, nominal = "label errors: flags of right labels", round(1 - claimed / flagged, 3)
                yield Row(finding, setting, "type I", nominal, wrongly / flagged, flagged)


def flags_of(rng: np.random.Generator, k: int, n: int, apart: float, share: float, near: bool) -> tuple:  # type: ignore[type-arg]
    """The tables of label errors of one made data set, and which labels are wrong, bool (n,)."""
    centres = apart * np.linalg.qr(rng.standard_normal((max(k, 8), max(k, 8))))[0][:k] / 2**0.5
    true = rng.permutation(np.arange(n) % k)
    features = centres[true] + rng.standard_normal((n, centres.shape[1]))
    distance = ((features[:, None] - centres) ** 2).sum(axis=2)
    distance[np.arange(n), true] = np.inf
    other = distance.argmin(axis=1) if near else (true + rng.integers(1, k, size=n)) % k
    wrong = np.zeros(n, dtype=bool)
    wrong[rng.choice(n, round(share * n), replace=False)] = True
    labels = np.where(wrong, other, true)
    part = ExaminedSplit(np.arange(n), labels, None, features.astype(np.float32), "made")
    sources = gather_label_sources({"test": part}, k, seed=0)
    return label_error_tables(sources, tuple(map(str, range(k)))), wrong


def levers(repeats: int) -> Iterator[Row]:
    """A lever that does nothing: its interval, its verdict, and the verdicts over eight of them."""
    for n, errors, trainings in ((400, 60, 2), (400, 60, 3), (2000, 200, 3)):
        for noise in (0.3, 1.0):
            rng = np.random.default_rng([16, n, trainings])
            effects = [net_effect(idle_lever(rng, n, errors, trainings, noise)) for _ in range(repeats)]
            setting = f"n={n:,}, about {errors} errors, {trainings} trainings, noise {noise:g}"
            yield coverage("levers: net share", setting, [e.low <= 0 <= e.high for e in effects])
            yield type_one("levers: net share", setting, [e.p_value <= 0.05 for e in effects])
            families = [effects[i : i + 8] for i in range(0, len(effects) - 7, 8)]
            alarms = [
                any(
                    lever_verdict(e, float(q), LEVEL) == HELPS
                    for e, q in zip(f, benjamini_hochberg([e.p_value for e in f]), strict=True)
                )
                for f in families
            ]
            yield type_one("levers: any of eight helps", setting, alarms)


def sampled_levers(repeats: int) -> Iterator[Row]:
    """A small change of the input, such as a placebo: every few answers flip, on a two-phase sample."""
    for size in (600, 2000):
        for shift in (0.02, 0.05, 0.1):
            rng = np.random.default_rng([18, size, round(100 * shift)])
            truth = shifted_net(rng, shift)
            effects = [net_effect(shifted_lever(rng, size, shift, seed)) for seed in range(repeats)]
            setting = f"{size:,} of 10,000 images, no training, margins shifted by {shift:g}"
            yield coverage("levers: net share", setting, [e.low <= truth <= e.high for e in effects])


MARGIN = 1.2  # mean margin of the true class, in its standard deviations: 11.5 % errors


def shifted_net(rng: np.random.Generator, shift: float, n: int = 4_000_000) -> float:
    """The net share that small random shifts of the margins have in the population."""
    before = rng.normal(MARGIN, 1.0, n)
    after = before + shift * rng.standard_normal(n)
    return float(((after > 0).mean() - (before > 0).mean()) / (before < 0).mean())


def shifted_lever(rng: np.random.Generator, size: int, shift: float, seed: int) -> LeverOutcome:
    """The same on a sample of made test images."""
    margins = rng.normal(MARGIN, 1.0, 10_000)
    logits = np.stack([np.zeros_like(margins), 3 * margins], axis=1)
    examined = choose_examined(np.ones(len(margins), dtype=np.int64), logits, size, seed=seed)
    after = margins[examined.rows] + shift * rng.standard_normal(len(examined))
    right = (after > 0).astype(np.float64)[None]
    return LeverOutcome(
        "shift", "margins shifted", "as they are", examined, right, examined.own_right[None], "Nothing."
    )


def idle_lever(rng: np.random.Generator, n: int, errors: int, trainings: int, noise: float) -> LeverOutcome:
    """Paired trainings of an arm and a control that differ by chance alone."""
    difficulty = np.log(errors / (n - errors)) + 2.0 * rng.standard_normal(n)

    def right() -> np.ndarray:
        skill = 0.1 * rng.standard_normal((trainings, 1)) + noise * rng.standard_normal((trainings, n))
        return (difficulty + skill < 0).astype(np.float64)

    model = right()[0]
    logits = np.stack([model, 1 - model], axis=1)
    examined = ExaminedImages(np.arange(n), np.zeros(n, dtype=np.int64), logits, np.ones(n), n)
    return LeverOutcome(
        "idle", "nothing was done", "nothing was done", examined, right(), right(), "Nothing.", paired=True
    )


def pointing(repeats: int) -> Iterator[Row]:
    """Energy-based pointing: the mean share of evidence on objects, which is skewed."""
    rng = np.random.default_rng(17)
    perfect = MaskQuality(1.0, 1.0, 0.0, 40)
    for n in (10, 30, 100):
        for a, b in ((2.0, 2.0), (0.5, 4.0)):
            drawn = [energy_of_group(rng.beta(a, b, n), perfect) for _ in range(repeats)]
            held = [row["ci_low"] <= a / (a + b) <= row["ci_high"] for row in drawn]
            yield coverage("pointing: evidence on the object", f"n={n}, mean {a / (a + b):.2f}", held)
