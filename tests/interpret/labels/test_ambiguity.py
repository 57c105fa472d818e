"""Ambiguity: the entropy of a belief that sources and views make together."""

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import entropy, spearmanr

from deepsight.core.evidence import Evidence
from deepsight.core.schemas.tables import checked_table
from deepsight.interpret.labels import ambiguity
from deepsight.interpret.labels.ambiguity import ambiguity_table, divergence
from deepsight.interpret.labels.annotator_disagreement import IGNORANCE, two_people_differ
from deepsight.interpret.labels.label_noise import find_wrong_labels
from deepsight.interpret.labels.label_sources import LabelSources

N, K = 3000, 3
CLASSES = ("a", "b", "c")
RNG = np.random.default_rng(0)
BELIEF = RNG.dirichlet(np.full(K, 0.3), size=N)  # what people would vote
LABELS = (RNG.random(N)[:, None] > BELIEF.cumsum(axis=1)).sum(axis=1).clip(max=K - 1)


def seen_through(noise: float, seed: int) -> np.ndarray:
    """The belief as a source sees it."""
    logits = np.log(np.maximum(BELIEF, 1e-4)) + noise * np.random.default_rng(seed).normal(size=(N, K))
    return softmax(logits, axis=1)


def score(sources: dict[str, np.ndarray], **dials: object) -> np.ndarray:
    opinions = {"test": LabelSources(np.arange(N), LABELS, sources)}
    return ambiguity_table(opinions, CLASSES, **dials).frame.sort("index")["score"].to_numpy()  # type: ignore[arg-type]


def agreement_with_people(found: np.ndarray) -> float:
    return float(spearmanr(found, entropy(BELIEF, axis=1)).statistic)


@pytest.mark.slow
def test_more_sources_are_nearer_to_people_than_the_entropy_of_the_model() -> None:
    model, head, neighbours = seen_through(1.5, 1), seen_through(2, 2), seen_through(2, 3)
    plain = agreement_with_people(entropy(model, axis=1))
    assert (
        agreement_with_people(score({"model": model, "head": head, "neighbours": neighbours})) > plain + 0.05
    )


@pytest.mark.slow
def test_views_are_nearer_to_people_than_one_look() -> None:
    model = seen_through(1.5, 1)
    views = np.log(np.stack([seen_through(1.5, seed) for seed in (2, 3)]))
    with_views = agreement_with_people(score({"model": model}, views={"test": views}))
    assert with_views > agreement_with_people(score({"model": model})) + 0.05


@pytest.mark.slow
def test_views_stand_in_where_there_is_no_model() -> None:
    view = np.log(seen_through(1, 1))[None]
    assert score({"head": seen_through(2, 2)}, views={"test": view}) == pytest.approx(
        score({"head": seen_through(2, 2), "model": seen_through(1, 1)}), abs=1e-3
    )


def test_the_score_has_its_ends_at_certainty_and_at_an_even_split() -> None:
    labels = np.repeat([0, 1, 2], 100)
    sure = np.full((300, 3), 1e-6) + np.eye(3)[labels] * (1 - 3e-6)
    sure[:3] = 1 / 3
    frame = ambiguity_table({"test": LabelSources(np.arange(300), labels, {"model": sure})}, CLASSES).frame
    frame = frame.sort("index")
    assert frame["score"][:3].to_list() == pytest.approx([5 / 6] * 3, abs=0.02)  # whatever the label
    assert frame["two_differ"][:3].to_list() == pytest.approx([2 / 3] * 3, abs=0.02)
    assert frame["score"][3:].max() < 0.05


@pytest.mark.slow
def test_sources_that_agree_do_not_diverge_and_others_do() -> None:
    model = seen_through(1, 1)
    alike = LabelSources(np.arange(N), LABELS, {"model": model, "head": model})
    unlike = LabelSources(np.arange(N), LABELS, {"model": model, "head": seen_through(1, 2)})
    frames = ambiguity_table({"val": alike, "test": unlike}, CLASSES).frame
    mean = dict(frames.group_by("split").agg(pl.col("disagreement").mean()).iter_rows())
    assert mean["val"] == pytest.approx(0, abs=1e-9)
    assert mean["test"] > 0.02


@pytest.mark.slow
def test_what_one_source_alone_doubts_is_not_ambiguity() -> None:
    likeliest = np.repeat([0, 1, 2], 1000)
    sure = 0.94 * np.eye(K)[likeliest] + 0.02
    labels = np.where(np.arange(N) % 25 == 0, (likeliest + 1) % K, likeliest)  # right 96 times in a hundred
    labels[:30] = np.arange(30) % 2
    model, head = sure.copy(), sure.copy()
    model[:20] = head[10:30] = [0.5, 0.49, 0.01]  # both doubt ten images
    sources = {"model": model, "head": head}
    frame = ambiguity_table({"test": LabelSources(np.arange(N), labels, sources)}, CLASSES).frame.sort(
        "index"
    )
    both, one = frame["surest_differ"][10:20], [*frame["surest_differ"][:10], *frame["surest_differ"][20:30]]
    assert both.to_numpy().min() > 0.45
    assert max(one) < 0.2
    assert (frame["surest_differ"] <= 1 - 1 / K + 1e-9).all()


def test_disagreement_is_the_squared_distance_of_scipy() -> None:
    a, b = seen_through(1, 1), seen_through(1, 2)
    assert divergence([a, b]) == pytest.approx(jensenshannon(a, b, axis=1) ** 2, abs=1e-9)


def test_the_table_is_evidence_and_names_the_two_likeliest_classes() -> None:
    opinions = {"test": LabelSources(np.arange(N), LABELS, {"model": seen_through(0, 0)})}
    table = ambiguity_table(opinions, CLASSES)
    assert Evidence({"ambiguity": table})["ambiguity"].n == N
    order = np.argsort(-BELIEF, axis=1)
    first = table.frame.sort("index")["first"].to_numpy()
    assert (first == np.array(CLASSES)[order[:, 0]]).mean() > 0.95
    assert (table.frame["first"] != table.frame["second"]).all()


def test_images_without_a_second_look_keep_their_score() -> None:
    model = seen_through(1.5, 1)
    views = np.log(np.stack([seen_through(1.5, seed) for seed in (2, 3)]))
    views[:, 100:] = np.nan
    sources = ambiguity.with_views(LabelSources(np.arange(N), LABELS, {"model": model}), views)
    assert sources["model"][100:] == pytest.approx(model[100:])
    assert np.abs(sources["model"][:100] - model[:100]).max() > 0.1


def test_two_people_are_expected_to_differ_more_where_the_score_is_higher() -> None:
    opinions = {"test": LabelSources(np.arange(N), LABELS, {"model": seen_through(0.5, 1)})}
    frame = ambiguity_table(opinions, CLASSES).frame
    differ = frame["people_differ"].to_numpy()
    assert (np.diff(differ) <= 0).all()
    assert 0 <= differ.min() < differ.max() < 0.5


def test_what_weak_sources_do_not_know_is_not_taken_for_disagreement_of_people() -> None:
    score = np.array([0.1, 0.5])
    known = two_people_differ(score)
    assert two_people_differ(score, IGNORANCE) == pytest.approx(known)
    assert two_people_differ(score, 2 * IGNORANCE) == pytest.approx(known / 2)


def test_sources_that_know_too_little_cannot_tell() -> None:
    blind = np.full((N, K), 1 / K) + 1e-3 * np.random.default_rng(0).random((N, K))
    table = ambiguity_table({"test": LabelSources(np.arange(N), LABELS, {"head": blind})}, CLASSES)
    assert table.frame["people_differ"].null_count() == N
    assert "unknown" in table.caption


def test_a_label_that_others_doubt_is_more_ambiguous_unless_it_is_wrong() -> None:
    labels = np.repeat([0, 1, 2], 1000)
    unclear = np.array([0.55, 0.4, 0.05])
    sure = 0.97 * np.eye(K)[labels] + 0.01
    sure[:200] = unclear
    given = labels.copy()
    given[:60] = 1  # the less likely class of unclear images
    given[-60:] = 1  # a wrong label on clear images
    frame = ambiguity_table({"test": LabelSources(np.arange(N), given, {"model": sure})}, CLASSES).frame
    score = frame.sort("index")["score"].to_numpy()
    assert score[:60].mean() > score[60:200].mean() > score[-60:].mean() + 0.1


def test_known_chances_of_wrong_labels_are_used_unless_views_change_the_pool() -> None:
    sources = {"model": seen_through(1, 1), "head": seen_through(2, 2)}
    pooled = LabelSources(np.arange(N), LABELS, sources).pooled
    known = find_wrong_labels(pooled, LABELS).probability
    assert score(sources, wrong={"test": known}) == pytest.approx(score(sources), abs=1e-12)
    assert score(sources, wrong={"test": np.ones(N)}) != pytest.approx(score(sources), abs=1e-3)
    views = {"test": np.log(np.stack([seen_through(1, 3)]))}
    assert (score(sources, views=views, wrong={"test": np.ones(N)}) == score(sources, views=views)).all()


def test_three_sources_that_are_sure_of_three_classes_diverge_by_more_than_one() -> None:
    sure = {str(place): np.tile(np.eye(K)[place], (30, 1)) for place in range(K)}
    table = ambiguity_table({"test": LabelSources(np.arange(30), LABELS[:30], sure)}, CLASSES)
    stored = checked_table("ambiguity", table.frame)
    np.testing.assert_allclose(stored["disagreement"], np.log(3), atol=1e-6)
