"""Raw names become words, and numbers get their thousands, percent signs and dashes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.report import formatting
from deepsight.report.formatting import (
    cell_text,
    count_text,
    duration_text,
    fraction_text,
    percent_text,
    point_columns,
    points_text,
    share_columns,
)


def plain(text: str) -> str:
    return str(text).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("ci_low", "low end"),
        ("macro_f1", "macro-F1"),
        ("shared_ids", "shared ids"),
        ("control_macro_f1", "control macro-F1"),
    ],
)
def test_columns_have_names_in_words(column: str, said: str):
    assert formatting.column_heading(column) == said


@pytest.mark.parametrize(
    ("item", "unit", "said"),
    [
        (18284, "images", "18,284"),
        (18284, "row in the official order", "18284"),
        (True, "true or false", "yes"),
        ("ece_debiased", "quantity", "calibration error, debiased"),
        ("hard_examples", "treatment", "hard-example mining"),
        ("maps/test-00001.png", "picture", "maps/test-00001.png"),
        (["cat", "dog"], "class names", "cat, dog"),
        ([], "classes whose F1 fell", "none"),
        (0.5, "share", "0.500"),
        (None, "share", "–"),
    ],
)
def test_values_are_written_by_what_they_are(item, unit: str, said: str):
    assert formatting.value_text(item, unit) == said


def test_an_interval_is_a_share_where_its_quantity_is_one():
    assert formatting.share_columns(["class", "recall", "ci_low", "ci_high"]) == {
        "recall",
        "ci_low",
        "ci_high",
    }
    assert formatting.share_columns(["name", "delta_f1", "ci_low", "ci_high", "recall"]) == {"recall"}
    assert formatting.share_columns(["check", "value", "baseline", "ci_low"]) == set()
    assert formatting.share_columns(["fault", "error_rate", "baseline"]) == {"error_rate", "baseline"}
    assert formatting.share_columns(["coverage", "error_rate", "ci_low"]) == {
        "coverage",
        "error_rate",
        "ci_low",
    }
    assert formatting.share_columns(["effect", "ci_low", "ci_high", "rejected"]) == {"rejected"}
    assert formatting.share_columns(["split", "estimated", "ci_low", "estimated_precision"]) == {
        "estimated_precision"
    }


def test_prose_has_a_true_minus_before_numbers_alone():
    said = formatting.prose_markup("truck -12.5 points (-1 to 0); ResNet-18, 2-3 of `deepsight --to clean`")
    assert str(said) == (
        "truck \u221212.5 points (\u22121 to 0); ResNet-18, 2-3 of <code>deepsight --to clean</code>"
    )


def test_prose_says_validation_in_full():
    assert str(formatting.prose_markup("train: 3; val: 250 images; a gate on val.")) == (
        "train: 3; validation: 250 images; a gate on val."
    )


def test_prose_has_one_space_before_percent_and_code_as_code():
    said = formatting.prose_markup("63% of `context` at 95 % <b>")
    assert plain(said) == "63 % of <code>context</code> at 95 % &lt;b&gt;"


def test_treatments_are_named_in_words():
    said = "First choice: hard_examples; cutmix helped, not weighted_loss. See label_errors."
    assert str(formatting.prose_markup(said)) == (
        "First choice: hard-example mining; CutMix helped, not weighted loss. See label errors."
    )


def test_names_that_people_gave_keep_their_underscores():
    said = "fire_truck is taken for ice_cream in photos/label_errors/a_b.jpg and label_errors.png."
    assert str(formatting.prose_markup(said)) == said
    for unit in ("class name, as labelled", "file", "class names", "metadata column of the slice"):
        assert formatting.value_text("fire_truck", unit) == "fire_truck", unit
        assert formatting.value_text(["fire_truck", "a_b"], unit) == "fire_truck, a_b", unit
    assert formatting.value_text("val", "class name") == "val"
    assert formatting.value_text("val", "split") == "validation"


@pytest.mark.parametrize(("p", "said"), [(0.0381, "p = 0.038"), (1e-9, "p < 0.001"), (None, "")])
def test_p_values(p, said: str):
    assert formatting.p_value_text(p) == said


@given(st.floats(0, 1))
def test_a_percentage_reads_back(share: float):
    assert float(percent_text(share, 3).replace("\u00a0%", "")) == pytest.approx(100 * share, abs=5e-4)


def test_a_percentage_below_zero_has_a_true_minus():
    assert percent_text(-0.277) == "\u221227.7\u00a0%"


@given(st.floats(-1, 1))
def test_points_always_show_their_sign(value: float):
    text = points_text(value)
    assert text[0] in "+−"
    assert float(text.replace("−", "-")) == pytest.approx(100 * value, abs=0.051)


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_a_fraction_keeps_its_size(value: float):
    assert float(fraction_text(value).replace("−", "-").replace(",", "")) == pytest.approx(
        value, rel=0.06, abs=5.1e-4
    )


@pytest.mark.parametrize("write", [percent_text, points_text, count_text, duration_text, cell_text])
@pytest.mark.parametrize("nothing", [None, math.nan])
def test_what_is_absent_is_a_dash(write, nothing):
    assert write(nothing) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (290, "4 min 50 s"), (3900, "1 h 5 min")],
)
def test_durations(seconds: float, text: str):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (False, "no"), (3, "3"), (1e-7, "1.0e−07"), (["a", "b"], "a, b"), ("x", "x"), (0.0, "0")],
)
def test_cells(value, text: str):
    assert cell_text(value) == text


def test_a_gain_is_shown_in_points_and_a_share_in_percent():
    shares, gains = (of(["recall", "points", "trainings"]) for of in (share_columns, point_columns))
    said = [
        formatting.table_cell(item, "as made here", column, shares, gains)
        for column, item in (("points", 0.0174), ("recall", 0.9), ("recall", 1), ("trainings", 2))
    ]
    assert said == ["+1.7", "90.0\u00a0%", "1", "2"]


def test_the_interval_of_a_compared_score_is_in_points_too():
    assert point_columns(["difference", "ci_low", "accuracy_difference"]) >= {"difference", "ci_low"}
    assert not point_columns(["difference", "ci_low", "ci_high"])
