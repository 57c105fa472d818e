"""Degraded images: planted damage is found, its share is right, and without an effect there is no alarm."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence
from deepsight.interpret.robustness import image_quality
from deepsight.interpret.robustness.image_quality import (
    QUALITY_FAULTS,
    QualityRisk,
    fit_quality_risk,
    quality_support,
)
from deepsight.interpret.slices.image_properties import measured_properties

N, K = 6000, 4
CLASSES = ("a", "b", "c", "d")
EFFECTS = {"dark": 1.2, "glaring": 0.0, "flat": 0.0, "blurred": 0.6, "noisy": 0.0}


def images(seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Properties of images, some far from their class, and labels; class d is darker than the others."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(K, size=N)
    values = rng.standard_t(4, size=(3, N)) * 0.1 + 0.5 - 0.2 * (labels == 3)
    return pl.DataFrame(dict(zip(("brightness", "contrast", "sharpness"), values, strict=True))), labels


def errors(frame: pl.DataFrame, labels: np.ndarray, slopes: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """Errors by a known risk, and which of them the damage made: those that a clean image is spared."""
    values = frame.select(image_quality.properties_used()).to_numpy()
    faults = image_quality.faults_of(values, labels, *image_quality.median_and_deviation(values, labels, K))
    level = -2.5 + 0.3 * labels
    draw = np.random.default_rng(seed).random(N)
    wrong = draw < 1 / (1 + np.exp(-level - faults @ slopes))
    return wrong, wrong & (draw >= 1 / (1 + np.exp(-level)))


@pytest.fixture(scope="module")
def learnt() -> QualityRisk:
    frame, labels = images(0)
    return fit_quality_risk(frame, labels, errors(frame, labels, np.array(list(EFFECTS.values())), 1)[0], K)


def test_planted_faults_get_their_slopes_and_others_none(learnt: QualityRisk) -> None:
    assert learnt.p_value < 1e-6
    assert dict(zip(QUALITY_FAULTS, learnt.slope, strict=True)) == pytest.approx(EFFECTS, abs=0.2)


def test_errors_of_the_damage_are_told_from_others_on_new_images(learnt: QualityRisk) -> None:
    frame, labels = images(2)
    wrong, due = errors(frame, labels, np.array(list(EFFECTS.values())), 3)
    found = quality_support(learnt, frame, labels)
    taken = wrong & (found >= 0.5)
    assert due[taken].mean() == pytest.approx(found[taken].mean(), abs=0.05)
    assert due[taken].mean() > 0.6
    assert taken[due].mean() > 0.5
    assert found[wrong].sum() == pytest.approx(due.sum(), rel=0.15)


def test_support_is_the_share_of_the_risk_that_the_faults_add(learnt: QualityRisk) -> None:
    frame, labels = images(2)
    found = quality_support(learnt, frame, labels)
    usual = (image_quality.faults_of(
        frame.to_numpy(), labels, learnt.centre, learnt.spread
    ) == 0).all(axis=1)  # fmt: skip
    assert (found[usual] == 0).all()
    assert ((found >= 0) & (found < 1)).all()


def test_slopes_are_those_of_scikit_learn(learnt: QualityRisk) -> None:
    frame, labels = images(0)
    slopes = np.full(5, 0.7)
    wrong, _ = errors(frame, labels, slopes, 5)
    values = frame.select(image_quality.properties_used()).to_numpy()
    faults = image_quality.faults_of(values, labels, *image_quality.median_and_deviation(values, labels, K))
    both = LogisticRegression(C=1 / image_quality.SHRINKAGE, fit_intercept=False, max_iter=1000, tol=1e-8)
    both.fit(np.hstack([100 * np.eye(K)[labels], faults]), wrong)
    ours, _ = image_quality.maximise_likelihood(faults, labels, wrong, K)
    assert ours[K:] == pytest.approx(both.coef_[0, K:], abs=0.01)
    assert fit_quality_risk(frame, labels, wrong, K).slope == pytest.approx(ours[K:], rel=0.05)


def test_middling_support_is_not_claimed_too_high() -> None:
    """Slopes from 3,000 images, judged on as many: of support below a half, claimed and true agree."""
    claimed, true = 0.0, 0.0
    for seed in range(8):
        frame, labels = images(seed)
        wrong, due = errors(frame, labels, np.array([0.5, 0, 0, 0.3, 0]), seed)
        few = np.arange(N) < 3000
        risk = fit_quality_risk(frame.filter(few), labels[few], wrong[few], K)
        found = quality_support(risk, frame, labels)
        middling = wrong & ~few & (found > 0.1) & (found < 0.5)
        claimed, true = claimed + found[middling].sum(), true + due[middling].sum()
    assert claimed == pytest.approx(true, rel=0.15)


@pytest.mark.slow
def test_errors_without_an_effect_of_quality_raise_no_alarm() -> None:
    frame, labels = images(0)
    risks = [
        fit_quality_risk(frame, labels, errors(frame, labels, np.zeros(5), seed)[0], K) for seed in range(20)
    ]
    assert sum((quality_support(risk, frame, labels) > 0).any() for risk in risks) <= 1


def test_a_perfect_model_has_no_risk_to_explain() -> None:
    frame, labels = images(0)
    risk = fit_quality_risk(frame, labels, np.zeros(N, dtype=bool), K)
    assert (quality_support(risk, frame, labels) == 0).all()


def test_damage_planted_in_real_pixels_is_named(cifar10: tuple[Dataset, Dataset]) -> None:
    pixels, labels = cifar10[1].pixels(np.arange(1500)).copy(), cifar10[1].labels[:1500] % K
    damaged = np.random.default_rng(0).random(1500) < 0.1
    pixels[damaged] = pixels[damaged] // 8
    wrong = damaged & (np.random.default_rng(1).random(1500) < 0.6)
    wrong |= np.random.default_rng(2).random(1500) < 0.05
    measured = measured_properties(pixels)
    risk = fit_quality_risk(measured, labels, wrong, K)
    found = quality_support(risk, measured, labels) >= 0.5
    assert found[damaged & wrong].mean() > 0.9
    assert found[~damaged & wrong].mean() < 0.2


def test_the_table_is_evidence_and_counts_what_the_ledger_takes(learnt: QualityRisk) -> None:
    frame, labels = images(2)
    wrong, _ = errors(frame, labels, np.array(list(EFFECTS.values())), 3)
    predicted = np.where(wrong, (labels + 1) % K, labels)
    table = image_quality.image_quality_table(learnt, frame, labels, predicted, CLASSES)
    assert Evidence({"image_quality": table})["image_quality"].n == N
    rows = {row["fault"]: row for row in table.frame.iter_rows(named=True)}
    assert rows["dark"]["error_rate"] > 1.5 * rows["dark"]["baseline"]
    assert rows["dark"]["odds_ratio"] == pytest.approx(np.exp(1.2), rel=0.25)
    taken = int((quality_support(learnt, frame, labels)[wrong] >= 0.5).sum())
    assert f"risk of {taken} of {wrong.sum()} errors" in table.caption
