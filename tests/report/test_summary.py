"""The sentence is true to the stored numbers, and says less when there is less."""

import re
from dataclasses import replace

import pytest

from deepsight.core.evidence import Evidence
from deepsight.report import summary
from deepsight.report.run_data import RunData
from made_run import made


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.fixture
def without_evidence(study: RunData) -> RunData:
    return replace(study, evidence=Evidence())


def test_the_score_is_that_of_the_metrics(study: RunData):
    metrics = study.metrics
    low, high = metrics["accuracy_ci95"]
    said = plain(summary.score_clause(study))
    right = f"{100 * metrics['accuracy']:.1f} % ± {50 * (high - low):.1f}"
    assert (
        said
        == f"{right} of 1,500 test images are classified correctly, with macro-F1 above the minimum of 65 %"
    )


def test_a_score_at_the_border_is_given_with_both_ends(study: RunData):
    perfect = replace(study, metrics={**study.metrics, "accuracy": 1.0, "accuracy_ci95": [0.957, 1.0]})
    said = plain(summary.score_clause(perfect))
    assert said.startswith("100.0 % (95.7 % to 100.0 %) of 1,500 test images")


def test_without_an_interval_of_the_accuracy_macro_f1_is_said(study: RunData):
    metrics = {name: value for name, value in study.metrics.items() if name != "accuracy_ci95"}
    low, high = metrics["macro_f1_ci95"]
    said = plain(summary.score_clause(replace(study, metrics=metrics)))
    macro = f"{100 * metrics['macro_f1']:.1f} % ± {50 * (high - low):.1f} macro-F1"
    assert said.startswith(f"{macro} on 1,500 test images, above the minimum")


def test_a_failed_gate_is_said(study: RunData):
    failed = replace(study, metrics={**study.metrics, "mva_passed": False})
    assert "below the minimum of 65 %" in plain(summary.score_clause(failed))


def test_the_causes_are_the_largest_three_in_order(study: RunData):
    shares = study.evidence["ledger_shares"].frame.sort("share", descending=True)["share"].to_list()
    said = re.findall(r"(\d+) %", plain(summary.causes_clause(study)))
    assert said == [f"{100 * share:.0f}" for share in shares[:3]]


def test_pairs_are_named_once_whatever_their_direction(study: RunData):
    names = summary.confused_pair_names(study)
    assert names[0] == "cat–dog"
    assert len(names) == len(set(names)) == summary.NAMED_PAIRS


def test_the_best_helpful_treatment_is_named(study: RunData):
    assert plain(summary.treatments_clause(study)) == "CutMix helped by 0.8 ± 0.3 points against the control"


def test_no_treatment_helped(study: RunData):
    frame = study.evidence["treatments"].frame
    rows = frame.filter(frame["verdict"] != "helps").to_dicts()
    evidence = Evidence({"treatments": made(rows, 5, "None helps.")})
    assert summary.treatments_clause(replace(study, evidence=evidence)) == "no treatment was shown to help"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("BIASED", "relies on the background"),
        ("CLEAR", "backgrounds change its accuracy by less than 5 points"),
        ("INCONCLUSIVE", "is undecided"),
    ],
)
def test_the_context_verdict_is_said(study: RunData, verdict: str, words: str):
    row = {**study.rows("context")[0], "verdict": verdict}
    evidence = Evidence({"context": made([row], 1000, "One row.")})
    assert words in summary.background_clause(replace(study, evidence=evidence))


def test_a_bias_is_said_with_its_size(study: RunData):
    row = {
        **study.rows("context")[0],
        "verdict": "BIASED",
        "effect": 0.179,
        "ci_low": 0.126,
        "ci_high": 0.232,
    }
    biased = replace(study, evidence=Evidence({"context": made([row], 1000, "One row.")}))
    assert "background (17.9 ± 5.3 points of accuracy)" in plain(summary.background_clause(biased))
    alike = {**row, "test": "matched swap", "verdict": "above 0", "effect": 0.106}
    both = replace(study, evidence=Evidence({"context": made([row, alike], 1000, "Two rows.")}))
    said = plain(summary.background_clause(both))
    assert "(17.9 ± 5.3 points of accuracy; 10.6 on backgrounds of similar colour)" in said


def test_without_evidence_only_the_score_is_said(without_evidence: RunData):
    first, rest = summary.summary_sentence(without_evidence)
    assert first.endswith("%.")
    assert rest == ""


def test_without_a_score_it_says_so(without_evidence: RunData):
    nothing = replace(without_evidence, metrics={})
    assert summary.summary_sentence(nothing) == ("This study has no score yet.", "")
    assert summary.score_cards(nothing) == []


def test_scores_carry_their_interval(study: RunData):
    first, *others = summary.score_cards(study)
    assert first["interval"] == study.metrics["macro_f1_ci95"]
    assert [score["value"] for score in others] == pytest.approx(
        [study.metrics["macro_f1_without_leaks"], study.metrics["accuracy"]]
    )


def test_a_score_without_the_copies_is_called_conservative(study: RunData):
    rows = [{"split": "train", "index": i, "reason": "near-duplicate"} for i in range(7)]
    dropped = replace(study, evidence=Evidence({"split_dropped": made(rows, 9, "Seven rows.")}))
    assert "without 7 copies" in summary.score_cards(dropped)[0]["note"]
    assert "conservative next to published scores" in summary.score_cards(dropped)[0]["note"]
    kept = replace(study, evidence=Evidence())
    assert summary.score_cards(kept)[0]["note"] == "on the official test set"


@pytest.mark.parametrize(
    ("words", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ("abc", "a, b and c")]
)
def test_words_become_a_list(words, said):
    assert summary.enumerate_words(words) == said


def test_the_minimum_is_said_to_be_one_of_macro_f1(study: RunData):
    """An accuracy of 70 % with a macro-F1 of 60 % is below the minimum of 65 % without a contradiction."""
    uneven = {**study.metrics, "accuracy": 0.7, "macro_f1": 0.6, "mva": 0.65, "mva_passed": False}
    said = plain(summary.score_clause(replace(study, metrics=uneven)))
    assert said.endswith("classified correctly, with macro-F1 below the minimum of 65 %")


def test_images_held_out_here_have_no_published_scores(study: RunData):
    rows = [{"split": "train", "reason": "near-duplicate of test"}]
    evidence = Evidence({"split_dropped": made(rows, 1, "One was dropped.")})
    own = replace(study, evidence=evidence, data={**study.data, "held_out_test": {"share": 0.2, "seed": 0}})
    assert summary.examined_note(own).endswith("trained without 1 copy of validation and test images")
