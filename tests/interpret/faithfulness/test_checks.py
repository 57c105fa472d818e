"""A family that works passes, and families that ignore the class, the weights or the image are refused."""

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp
from sklearn.metrics import recall_score

from deepsight.core.evidence import Evidence
from deepsight.interpret.faithfulness.checks import (
    accuracy_check,
    faithfulness_table,
    grid_pointing_checks,
    insertion_deletion_checks,
    mean_interval,
    model_randomisation_check,
    refusal_sentence,
)
from deepsight.interpret.faithfulness.model_randomisation import rank_correlation
from scenes import colour_maps, looks_at_object, scenes


def noise_maps(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return np.random.default_rng(int(images[0].sum())).normal(size=(*classes.shape, 8, 8))


def test_mean_interval_against_scipy() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, size=40)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values)[1:] == pytest.approx((expected.low, expected.high))


def test_pointing_tells_knowledge_from_noise() -> None:
    images, labels, _ = scenes(80)
    (good,) = grid_pointing_checks(colour_maps, images, labels, count=30)
    (noise,) = grid_pointing_checks(noise_maps, images, labels, count=30)
    assert good.passed
    assert good.baseline == 0.25
    assert noise.passed is False


def test_random_weights_are_a_baseline_of_their_own() -> None:
    images, labels, _ = scenes(80)
    above, same = grid_pointing_checks(colour_maps, images, labels, random_maps_of=colour_maps, count=30)
    assert (above.name, above.passed) == ("grid pointing: chance", True)
    assert (same.name, same.passed) == ("grid pointing: random weights", False)
    assert same.baseline == pytest.approx(same.value)


def test_a_handful_of_mosaics_decides_nothing() -> None:
    images, labels, _ = scenes(80)
    assert grid_pointing_checks(colour_maps, images, labels, count=10)[0].passed is None


@pytest.mark.slow
def test_insertion_and_deletion_tell_the_object_from_noise() -> None:
    images, labels, masks = scenes(40, aligned=0.0)
    right = masks.cover(8, 8)
    checks = insertion_deletion_checks(right, images, labels, looks_at_object, steps=8)
    assert {c.name for c in checks if c.passed} == {"deletion: random order", "insertion: random order"}
    wrong = insertion_deletion_checks(-right, images, labels, looks_at_object, steps=8)
    assert not any(c.passed for c in wrong)
    decisive = [c.name for c in checks if c.passed is not None]
    assert decisive == ["deletion: random order", "insertion: random order"]
    for check in checks:
        assert check.low < check.value < check.high


def test_maps_that_stay_when_the_weights_go_are_refused() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(60, 6, 6))
    stays = maps + 0.5 * rng.normal(size=(10, 60, 6, 6))
    goes = rng.normal(size=(10, 60, 6, 6)) + rng.choice([-1, 1], size=10)[:, None, None, None] * maps
    assert not model_randomisation_check(maps, stays, depth="head").passed
    check = model_randomisation_check(maps, goes, depth="head")
    assert check.passed is None  # neither told from 0 nor shown to be near it: ten seeds are too few here
    assert "Undecided: randomised down to head" in faithfulness_table([check], family="Edges").caption
    near = model_randomisation_check(maps, 0.1 * maps + rng.normal(size=(10, 60, 6, 6)), depth="head")
    assert 0 < near.low < near.high < 0.3
    assert near.passed  # told from 0, but so little is no sameness
    mean, error = check.value, (check.high - check.value) / t.ppf(0.995, 9)
    assert t.cdf(-mean / error, 9) == pytest.approx(
        ttest_1samp([rank_correlation(maps, m).mean() for m in goes], 0, alternative="greater").pvalue
    )


def test_the_report_is_told_why() -> None:
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(30, 6, 6))
    bad = model_randomisation_check(maps, np.stack([maps] * 4), depth="layer3")
    made = faithfulness_table([bad], family="Edges at layer3")
    assert Evidence().add(faithfulness=made)["faithfulness"].n == 4
    reason = refusal_sentence(made.frame, family="Edges at layer3")
    assert reason == made.caption
    assert "randomised down to layer3 1.00 against 0.00" in reason
    images, labels, _ = scenes(80)
    good = faithfulness_table(grid_pointing_checks(colour_maps, images, labels, count=30), family="Hues")
    assert refusal_sentence(good.frame, family="Hues") is None
    assert good.caption == "Hues passed: grid pointing (against chance)."


def test_a_handful_of_images_decides_nothing() -> None:
    images, labels, masks = scenes(10)
    checks = insertion_deletion_checks(-masks.cover(8, 8), images, labels, looks_at_object, steps=4)
    assert all(check.passed is None for check in checks)
    made = faithfulness_table(checks, family="Masks")
    assert refusal_sentence(made.frame, family="Masks") is None
    assert made.caption == "Nothing was decided about Masks."


def test_answers_must_be_better_than_chance() -> None:
    labels = np.random.default_rng(0).integers(10, size=600)
    one_class, guessed = np.zeros_like(labels), np.random.default_rng(1).integers(10, size=600)
    mostly = np.where(np.random.default_rng(2).random(600) < 0.4, labels, guessed)
    assert accuracy_check(labels, one_class).passed is False
    assert accuracy_check(labels, guessed).passed is False
    check = accuracy_check(labels, mostly)
    assert check.passed
    assert check.value == pytest.approx(recall_score(labels, mostly, average="macro"))


def test_a_rare_class_counts_as_much_as_a_frequent_one() -> None:
    labels = np.repeat([0, 1], [950, 50])
    assert accuracy_check(labels, np.zeros_like(labels)).value == 0.5
    assert accuracy_check(labels, np.zeros_like(labels)).passed is False
    assert accuracy_check(labels, labels).passed


def test_the_interval_of_right_answers_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    labels, recalls = np.repeat(np.arange(5), [30, 40, 60, 80, 200]), np.array([0.2, 0.5, 0.7, 0.9, 0.95])
    hit = rng.random((1000, len(labels))) < recalls[labels]
    checks = [accuracy_check(labels, np.where(h, labels, (labels + 1) % 5)) for h in hit]
    held = np.mean([c.low <= recalls.mean() <= c.high for c in checks])
    assert held == pytest.approx(0.95, abs=0.02)


def test_a_blob_in_the_middle_is_named_where_the_maps_do_no_better() -> None:
    """Objects stand in the middle, and the map is a blob there: it beats random order and nothing else."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, size=(40, 32, 32, 3)).astype(np.uint8)
    images[:, 10:22, 10:22] = (220, 40, 40)
    y, x = np.mgrid[:8, :8]
    blob = np.broadcast_to(-((y - 3.5) ** 2 + (x - 3.5) ** 2), (40, 8, 8))
    labels = np.zeros(40, dtype=np.int64)
    table = faithfulness_table(
        insertion_deletion_checks(blob, images, labels, looks_at_object, steps=8), family="Blob"
    )
    assert table.caption.startswith("Blob passed: deletion (against random order)")
    assert "Not shown to beat maps that know nothing about the model: deletion: centre" in table.caption
