"""Label errors: the flags, the counts and their interval. What is found is in tests/planted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepsight.core.evidence import Evidence
from deepsight.interpret.labels.label_errors import (
    claimed_precision,
    estimated_number,
    flagged_at_precision,
    flagged_labels,
    label_error_tables,
    label_errors_of_split,
)
from deepsight.interpret.labels.label_noise import find_wrong_labels
from deepsight.interpret.labels.label_sources import LabelSources

CLASSES = ("a", "b", "c")
SCORES = arrays(np.float64, st.integers(0, 40), elements=st.floats(0, 1))


@pytest.mark.slow
@given(SCORES, st.floats(0.05, 1))
def test_flagged_are_the_largest_set_of_surest_images_at_that_precision(
    score: np.ndarray, precision: float
) -> None:
    chosen = flagged_at_precision(score, precision)
    count, surest = int(chosen.sum()), np.sort(score)[::-1]
    assert np.array_equal(np.sort(score[chosen])[::-1], surest[:count])
    assert count == 0 or surest[:count].mean() >= precision - 1e-9
    assert count == len(score) or surest[: count + 1].mean() < precision + 1e-9


def made(n: int = 4000, share: float = 0.08, seed: int = 0) -> tuple[np.ndarray, LabelSources]:
    """True labels, and two sources that are right about most of them and know nothing of the given label."""
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=n)
    labels = np.where(rng.random(n) < share, (true + rng.integers(1, 3, size=n)) % 3, true)
    sources = {}
    for name, strength in (("model", 3.0), ("head", 2.0)):
        logits = strength * (strength * np.eye(3)[true] + rng.normal(size=(n, 3)))
        sources[name] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return true, LabelSources(np.arange(n) + 7, labels, sources)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.02, 0.08, 0.15])
def test_the_number_of_wrong_labels_is_in_its_interval(share: float) -> None:
    true, opinions = made(share=share)
    wrong = find_wrong_labels(opinions.pooled, opinions.labels)
    number = estimated_number(wrong, opinions, 0.95)
    assert 0.99 * number.low <= (opinions.labels != true).sum() <= number.high
    assert number.high - number.low < 300


@pytest.mark.slow
def test_the_score_claims_no_more_than_is_there() -> None:
    true, opinions = made(n=20_000)
    score = label_errors_of_split("train", opinions, CLASSES, 0.8)["score"].to_numpy()
    wrong = opinions.labels != true
    tenths = np.array_split(np.argsort(-score), 10)
    claimed = np.array([score[rows].mean() for rows in tenths])
    found = np.array([wrong[rows].mean() for rows in tenths])
    assert (claimed - found).max() < 0.08
    assert np.abs(claimed - found).mean() < 0.03


@pytest.mark.slow
def test_the_tables_are_evidence_and_their_totals_agree() -> None:
    _, opinions = made()
    found = label_error_tables({"val": opinions, "test": made(seed=1)[1]}, CLASSES)
    evidence = Evidence(found)
    images, totals = evidence["label_errors"].frame, evidence["label_error_summary"].frame
    for row in totals.iter_rows(named=True):
        part = images.filter(images["split"] == row["split"])
        assert row["n"] == len(part)
        assert row["flagged"] == part["flagged"].sum()
        assert row["estimated"] == pytest.approx(part["score"].sum())
        flagged = part.filter("flagged")["score"].to_numpy()
        assert row["estimated_precision"] == pytest.approx(claimed_precision(flagged, row["n"]))
    assert images["score"].is_sorted(descending=True)
    assert images["index"].min() == 7
    assert (images["given"] != images["suggested"]).all()


@pytest.mark.slow
def test_a_wider_level_gives_a_wider_interval() -> None:
    _, opinions = made()
    low, high = (
        label_error_tables({"test": opinions}, CLASSES, level=level)["label_error_summary"].frame
        for level in (0.5, 0.99)
    )
    assert high["ci_low"][0] < low["ci_low"][0] < low["ci_high"][0] < high["ci_high"][0]


def test_arguments_stay_as_they_were() -> None:
    _, opinions = made(n=300)
    before = {name: source.copy() for name, source in opinions.distributions.items()}
    label_error_tables({"test": opinions}, CLASSES)
    assert all(np.array_equal(before[name], source) for name, source in opinions.distributions.items())


@pytest.mark.slow
def test_sure_mistakes_of_the_classifier_on_clean_labels_are_not_flagged() -> None:
    true, opinions = made(n=10_000, share=0.0)
    errs = (opinions.pooled.argmax(axis=1) != true).sum()
    frame = label_errors_of_split("test", opinions, CLASSES, 0.8)
    assert errs > 100
    assert frame["flagged"].sum() <= 3
    assert frame["score"].sum() < 0.3 * errs


def test_a_handful_of_sure_labels_is_not_named() -> None:
    few, more = np.full(4000, 0.01), np.full(4000, 0.01)
    few[:10], more[:40] = 0.95, 0.95
    assert flagged_at_precision(few, 0.8).sum() >= 10
    assert not flagged_labels(few, 0.8).any()
    assert flagged_labels(more, 0.8).sum() == flagged_at_precision(more, 0.8).sum() >= 40


def test_less_is_claimed_of_few_flags_than_of_many() -> None:
    score = np.full(1000, 0.7)
    few, some, many = (claimed_precision(score[:m], 10_000) for m in (50, 100, 1000))
    assert few is not None
    assert some is not None
    assert many is not None
    assert few < some < many
    assert some == pytest.approx(0.7, abs=0.05)  # measured: 0.66 to 0.83 with 1 to 2 % of the labels
    assert many == pytest.approx(0.81, abs=0.02)  # 0.73 to 0.89 with 3 to 13 %
    assert claimed_precision(score, 5_000) == many  # more than 4 % of the labels say no more
    assert claimed_precision(score[:0], 1_000) is None
    assert claimed_precision(score[:7], 300) == pytest.approx(0.7, abs=0.02)  # too few to claim more


@pytest.mark.slow
def test_a_split_without_flags_says_that_too_few_stand_out() -> None:
    _, clean = made(n=2_000, share=0.0)
    summary = label_error_tables({"test": clean}, CLASSES)["label_error_summary"]
    assert summary.frame["estimated_precision"][0] is None
    assert "none flagged" in summary.caption
