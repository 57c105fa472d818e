"""A result of a gate reads as a person would say it, and never hides on which side of the bound it lies."""

import pytest

from deepsight.workflows.gates.gate_metrics import (
    AUDIT_METRIC_NAMES,
    METRIC_NAMES,
    NO_SLICE,
    Measured,
)
from deepsight.workflows.gates.wording import (
    AUDIT_WORDS,
    SHARE,
    STUDY_WORDS,
    Asked,
    comparison_sentence,
    digits_apart,
)


def test_every_metric_has_words() -> None:
    assert set(STUDY_WORDS) == set(METRIC_NAMES)
    assert set(AUDIT_WORDS) == set(AUDIT_METRIC_NAMES)
    assert not any("_" in words for words, _ in {**STUDY_WORDS, **AUDIT_WORDS}.values())


CAT = Measured("cat", 0.7612, 0.7339, 0.7865, 1000)


@pytest.mark.parametrize(
    ("asked", "one", "passed", "audit", "said"),
    [
        (
            Asked("macro_f1", None, ">=", 0.65, False),
            Measured("", 0.88567, 0.8791, 0.8921, 10_000),
            True,
            False,
            "Macro-F1 is 88.6 % (95 % interval 87.9 to 89.2) on 10,000 images; "
            "the gate asks for at least 65 %.",
        ),
        (
            Asked("recall", "min", ">=", 0.8, True),
            CAT,
            False,
            False,
            "The lowest recall, of cat, is 76.1 % (95 % interval 73.4 to 78.6) on 1,000 images, but "
            "the gate asks for at least 80 % at the low end.",
        ),
        (
            Asked("recall", None, "<", 0.76, False),
            CAT,
            False,
            False,
            "Recall of cat is 76.1 % (95 % interval 73.4 to 78.6) on 1,000 images, but "
            "the gate asks for less than 76 %.",
        ),
        (
            Asked("f1", "mean", ">", 0.5, False),
            Measured("", 0.75, None, None, 20),
            True,
            False,
            "The mean F1 over the classes is 75.0 % on 20 images; the gate asks for more than 50 %.",
        ),
        (
            Asked("slice_excess", "max", "<=", 0.1, False),
            Measured(NO_SLICE, 0.0, None, None, 500),
            True,
            False,
            "No slice is confirmed, so the excess error rate is 0.0 points on 500 images; "
            "the gate asks for at most 10 points.",
        ),
        (
            Asked("group_accuracy", None, ">=", 0.5, False),
            Measured("site=B", 0.5, None, None, 10),
            True,
            False,
            "Accuracy of the group site=B is 50.0 % on 10 images; the gate asks for at least 50 %.",
        ),
        (
            Asked("feature_drift", None, "<=", 0.7, False),
            Measured("", 0.701, 0.65, 0.75, 300),
            False,
            True,
            "The area under the ROC curve that tells new images from old ones is 0.701 (95 % interval 0.650 "
            "to 0.750) on 300 images, but the gate asks for at most 0.7.",
        ),
    ],
)
def test_a_result_reads_as_a_person_would_say_it(
    asked: Asked, one: Measured, passed: bool, audit: bool, said: str
) -> None:
    assert comparison_sentence(asked, one, passed=passed, audit=audit) == said


def test_a_value_beside_its_bound_gets_the_decimals_that_tell_them_apart() -> None:
    assert digits_apart(0.81, 0.8, SHARE) == 1
    assert digits_apart(0.79996, 0.8, SHARE) == 3
    assert digits_apart(0.8, 0.8, SHARE) == 1
    assert digits_apart(0.8000001, 0.8, SHARE) == 4
