"""Images of one patient are one opinion: tables say so, and without groups nothing changes."""

import numpy as np
import polars as pl
import pytest

from deepsight.core.hypothesis import Group, Hypothesis
from deepsight.interpret.error_analysis.confusion import confusion_direction_table, confusion_pairs_table
from deepsight.interpret.error_analysis.hypothesis_tests import hypotheses_table
from deepsight.interpret.error_analysis.per_class import per_class_table
from deepsight.interpret.slices.metadata import metadata_scores_table
from deepsight.interpret.slices.slices import slices_table

CLASSES = ("a", "b", "c", "d", "e", "f")
LABELS = np.repeat(np.arange(6), 100)
PATIENT = np.arange(600) // 20  # five patients a class
ALONE = np.arange(600)


def one_patient_confused(noise: float) -> np.ndarray:
    """Every image of one patient of class a is called b; elsewhere errors are few and even."""
    rng = np.random.default_rng(0)
    predicted = np.where(rng.random(600) < noise, rng.integers(0, 6, 600), LABELS)
    predicted[PATIENT == 0] = 1
    return predicted


PREDICTED = one_patient_confused(0.3)
A_AS_B = (pl.col("true") == "a") & (pl.col("predicted") == "b")


def test_a_confusion_of_one_patient_is_not_one_of_the_class():
    free = confusion_pairs_table(LABELS, PREDICTED, CLASSES).frame.row(by_predicate=A_AS_B, named=True)
    alone = confusion_pairs_table(LABELS, PREDICTED, CLASSES, image_groups=ALONE)
    grouped = confusion_pairs_table(LABELS, PREDICTED, CLASSES, image_groups=PATIENT)
    assert free["flagged"]
    same = alone.frame.row(by_predicate=A_AS_B, named=True)
    assert same["flagged"]
    assert (same["ci_low"], same["ci_high"]) == pytest.approx((free["ci_low"], free["ci_high"]), abs=0.002)
    wide = grouped.frame.row(by_predicate=A_AS_B, named=True)
    assert not wide["flagged"]
    assert wide["ci_high"] - wide["ci_low"] > 2 * (free["ci_high"] - free["ci_low"])
    assert "effective n" in grouped.method


def test_a_direction_of_one_patient_is_undecided():
    frame = confusion_direction_table(LABELS, PREDICTED, CLASSES).frame
    grouped = confusion_direction_table(LABELS, PREDICTED, CLASSES, image_groups=PATIENT).frame
    pair = (pl.col("class_a") == "a") & (pl.col("class_b") == "b")
    assert frame.row(by_predicate=pair, named=True)["dominant"] == "a as b"
    assert grouped.row(by_predicate=pair, named=True)["dominant"] == "neither"


def test_recall_says_what_its_images_are_worth():
    predicted = one_patient_confused(0.05)
    free = per_class_table(LABELS, predicted, CLASSES, {})
    grouped = per_class_table(LABELS, predicted, CLASSES, {}, image_groups=PATIENT)
    one, row = (table.frame.filter(pl.col("class") == "a") for table in (free, grouped))
    assert row["recall"][0] == one["recall"][0]
    assert row["effective_n"][0] < 10
    assert row["ci_high"][0] - row["ci_low"][0] > 2 * (one["ci_high"][0] - one["ci_low"][0])
    assert "a is worst" in free.caption
    assert "is worst" not in grouped.caption


def test_a_hypothesis_about_images_counts_patients():
    stated = [
        Hypothesis("ab", "a and b are confused.", "confused_pair", Group("a", ("a",)), Group("b", ("b",)))
    ]
    both = PREDICTED.copy()
    both[PATIENT == 5] = 0
    free = hypotheses_table(stated, LABELS, both, CLASSES).frame.row(0, named=True)
    grouped = hypotheses_table(stated, LABELS, both, CLASSES, image_groups=PATIENT).frame.row(0, named=True)
    assert (free["verdict"], grouped["verdict"]) == ("supported", "undecided")


def test_a_value_that_runs_through_groups_is_tested_over_groups():
    rng = np.random.default_rng(1)
    hard = rng.random(30) < 0.4
    wrong = rng.random(600) < np.where(hard[PATIENT], 0.6, 0.02)
    predicted = np.where(wrong, (LABELS + 1) % 6, LABELS)
    # Mostly one site a patient, so images of hard patients make one site look worse.
    site = np.where(rng.random(600) < 0.9, np.where(hard & (np.arange(30) % 2 == 0), 1, 0)[PATIENT], 1)
    frame = pl.DataFrame({"site": site.astype(str)})
    free = metadata_scores_table(frame, LABELS, predicted, seed=0)
    grouped = metadata_scores_table(frame, LABELS, predicted, groups=PATIENT, seed=0)
    assert free is not None
    assert grouped is not None
    assert grouped.frame["p_value"][0] > free.frame["p_value"][0]
    width = (grouped.frame["ci_high"] - grouped.frame["ci_low"]).to_numpy()
    assert (width > 1.2 * (free.frame["ci_high"] - free.frame["ci_low"]).to_numpy()).all()


def test_a_slice_that_is_one_patient_is_not_confirmed():
    rng = np.random.default_rng(2)
    labels, patient = rng.integers(0, 2, 1200), np.arange(1200) // 150
    dark = patient < 2
    predicted = np.where(rng.random(1200) < np.where(patient == 0, 0.8, 0.05), 1 - labels, labels)
    properties = pl.DataFrame({"brightness": np.where(dark, 20.0, 200.0) + rng.normal(0, 5, 1200)})
    asked = {
        "properties": properties,
        "labels": labels,
        "predicted": predicted,
        "classes": ("x", "y"),
        "ids": np.arange(1200),
        "features": np.zeros((1200, 0)),
        "seed": 0,
    }
    assert slices_table(**asked).frame["confirmed"].any()
    assert not slices_table(**asked, image_groups=patient).frame["confirmed"].any()
