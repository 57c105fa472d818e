"""Facts reach the page in words, and none is lost or invented."""

from dataclasses import replace

import pytest

from deepsight.report import provenance
from deepsight.report.run_data import RunData


def test_the_plan_is_what_the_configuration_says(study: RunData):
    assert dict(provenance.plan_facts(study.configuration)) == {
        "minutes": "5",
        "training images": "20,000",
        "resolution": "64 px",
        "interpolation": "bicubic",
        "epochs": "5",
        "seed": "0",
        "predicted time": "3 min 20 s",
    }


def test_without_a_plan_only_what_was_asked_is_said():
    assert provenance.plan_facts({"minutes": 3, "seed": 1, "plan": None}) == [("minutes", "3"), ("seed", "1")]


def test_the_notice_is_a_sentence_and_the_rest(study: RunData):
    first, rest = provenance.notice(study)
    assert first.endswith("EfficientNet-Lite0 was used.")
    assert rest == "Get its weights."
    assert provenance.notice(replace(study, model={})) == ("", "")


def test_effort_gives_each_stage_and_the_memory(study: RunData):
    pairs = dict(provenance.effort_facts(study.metrics))
    assert pairs["train: fine-tuning"] == "2 min 40 s"
    assert pairs["peak memory with mapped files"] == "1,800 MB"
    assert {provenance.STAGES.get(stage, stage) for stage in study.metrics["seconds"]} <= set(pairs)


def test_nested_facts_are_flat_and_long_lists_counted():
    nested = {
        "a": {"b": 1000, "c": None},
        "rows": list(range(20)),
        "few": [1, 2],
        "items": [{"x": 1}],
        "none": "",
    }
    assert list(provenance.flatten(nested)) == [
        ("a · b", "1,000"),
        ("rows", "20 items"),
        ("few", "1, 2"),
        ("items", "1 item"),
    ]


def test_the_seed_is_a_name_and_not_a_quantity():
    assert provenance.fact_text("seed", 12345) == "12345"
    assert provenance.fact_text("rows", 12345) == "12,345"


def test_provenance_leaves_out_what_stands_elsewhere(study: RunData):
    names = [name for _, pairs in provenance.provenance_facts(study) for name, _ in pairs]
    assert "architecture" in names
    assert not {"classes", "notice"} & set(names)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"kept_phase": "frozen", "recipe": {"averaged": 0.2}}, "of the frozen phase"),
        ({"kept_phase": "finetune", "recipe": {"averaged": 0.2}}, "average of the last steps"),
        ({"kept_phase": "finetune", "recipe": {"averaged": 0.0}}, "weights of the last epoch"),
        ({}, "weights of the last epoch"),
    ],
)
def test_the_report_says_which_weights_the_model_has(study: RunData, model: dict, words: str):
    assert words in provenance.training_note(replace(study, model=model))


def test_digests_that_are_those_of_the_records_are_given_once(study: RunData):
    same = {"train": "a" * 64}
    data = dict(
        provenance.provenance_facts(replace(study, data={"sha256_of_records": same, "digests": same}))[0][1]
    )
    assert data == {"SHA-256 of the records · train": "a" * 64}
    other = provenance.provenance_facts(
        replace(study, data={"sha256_of_pixels": same, "digests": {"train": "b"}})
    )
    assert len(other[0][1]) == 2
