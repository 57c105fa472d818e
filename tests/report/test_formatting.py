"""Raw names become words, and numbers get their thousands, percent signs and dashes."""

import pytest

from deepsight.report import formatting


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
    assert formatting.heading(column) == said


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
    assert formatting.value(item, unit) == said


def test_an_interval_is_a_share_where_its_quantity_is_one():
    assert formatting.percentages(["class", "recall", "ci_low", "ci_high"]) == {"recall", "ci_low", "ci_high"}
    assert formatting.percentages(["name", "delta_f1", "ci_low", "ci_high", "recall"]) == {"recall"}
    assert formatting.percentages(["check", "value", "baseline", "ci_low"]) == set()
    assert formatting.percentages(["fault", "error_rate", "baseline"]) == {"error_rate", "baseline"}
    assert formatting.percentages(["split", "estimated", "ci_low", "estimated_precision"]) == {
        "estimated_precision"
    }


def test_prose_has_one_space_before_percent_and_code_as_code():
    said = formatting.prose("63% of `context` at 95 % <b>")
    assert plain(said) == "63 % of <code>context</code> at 95 % &lt;b&gt;"


def test_treatments_are_named_in_words():
    assert str(formatting.prose("First choice: hard_examples; cutmix helped, not deeper_net.")) == (
        "First choice: hard-example mining; CutMix helped, not deeper net."
    )


@pytest.mark.parametrize(("p", "said"), [(0.0381, "p = 0.038"), (1e-9, "p < 0.001"), (None, "")])
def test_p_values(p, said: str):
    assert formatting.p_value(p) == said
