"""A planted slice is found and confirmed; shuffled errors and hard classes make none."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import fisher_exact, hypergeom

from deepsight.core.dataset import Dataset
from deepsight.interpret.slices import search, slices
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.interpret.slices.search import condition_text
from deepsight.interpret.slices.slices import (
    drawn_errors_pmf,
    excess_p,
    risk_strata,
    slices_table,
    stratified_half,
)

CLASSES = ("a", "b", "c", "d")
N = 2000


def made(seed: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Four properties that say nothing, labels, and features."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({name: rng.random(N) for name in ("brightness", "contrast", "entropy", "sharpness")})
    return frame, rng.integers(4, size=N), rng.normal(size=(N, 8)).astype(np.float32)


def predict(labels: np.ndarray, error: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed + 10_000)
    return np.where(rng.random(len(labels)) < error, (labels + 1) % 4, labels)


def find(
    frame: pl.DataFrame, labels: np.ndarray, predicted: np.ndarray, features: np.ndarray
) -> pl.DataFrame:
    ids = np.arange(len(labels))
    return slices_table(frame, labels, predicted, CLASSES, ids, features=features, clusters=6, seed=0).frame


def test_a_planted_slice_is_found_and_described() -> None:
    frame, labels, features = made(0)
    dark = (frame["brightness"] <= 0.1).to_numpy()
    found = find(frame, labels, predict(labels, np.where(dark, 0.5, 0.08), 0), features)
    best = found.row(0, named=True)
    assert best["confirmed"]
    assert best["description"].startswith("brightness ≤ ")
    assert float(best["description"].split()[2]) == pytest.approx(0.1, abs=0.02)
    assert best["error_rate"] == pytest.approx(0.5, abs=0.15)
    assert best["effect"] > 0.25
    assert dark[best["examples"]].mean() > 0.7


def test_dark_real_images_relabelled_are_found(cifar10: tuple[Dataset, Dataset]) -> None:
    data = cifar10[1].select(np.arange(2000))
    frame = measured_properties(data.images)
    truth = data.labels % 4
    dark = (frame["brightness"] <= frame["brightness"].quantile(0.08)).to_numpy()
    given = np.where(dark & (np.arange(2000) % 2 == 0), (truth + 1) % 4, truth)
    found = find(frame, given, predict(truth, np.full(2000, 0.06), 1), np.zeros((2000, 0)))
    assert found["confirmed"][0]
    assert "brightness ≤" in found["description"][0]


def test_the_method_names_no_clusters_where_there_are_no_features() -> None:
    frame, labels, features = made(0)
    predicted = predict(labels, np.full(N, 0.1), 0)
    with_them, without = (
        slices_table(frame, labels, predicted, CLASSES, np.arange(N), features=x, clusters=6, seed=0).method
        for x in (features, np.zeros((N, 0)))
    )
    assert "6 k-means clusters" in with_them
    assert "clusters" not in without


def test_a_planted_cluster_of_features_is_found() -> None:
    frame, labels, features = made(2)
    odd = np.random.default_rng(77).random(N) < 0.12
    features[odd] += 6
    found = find(frame, labels, predict(labels, np.where(odd, 0.4, 0.08), 2), features)
    assert found.filter("confirmed")["kind"].to_list()[0] == "cluster"


def test_components_are_those_of_a_singular_value_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BLOCK", 300)
    rng = np.random.default_rng(5)
    labels, first = rng.integers(4, size=N), rng.random(N) < 0.5
    x = rng.normal(size=(N, 40)) * np.linspace(3, 1, 40) + 5 * rng.normal(size=(4, 40))[labels]
    means = np.stack([x[first & (labels == c)].mean(axis=0) for c in range(4)])
    between = np.linalg.svd(means - means.mean(axis=0))[2][:3]
    within = x - x @ between.T @ between
    centred = within - within[first].mean(axis=0)
    expected = centred @ np.linalg.svd(centred[first])[2][:32].T
    found = search.components_within_classes(x.astype(np.float32), labels, first)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-3)


@pytest.mark.slow
def test_clusters_do_not_repeat_what_the_model_predicts() -> None:
    """Features that hold the prediction and nothing else: a cluster of them is no finding."""
    alarms = 0
    for seed in range(10):
        frame, labels, features = made(seed)
        predicted = predict(labels, np.full(N, 0.1), seed)
        features = features + 6 * np.eye(4, 8, dtype=np.float32)[predicted]
        alarms += bool(find(frame, labels, predicted, features)["confirmed"].any())
    assert alarms <= 2


@pytest.mark.slow
def test_shuffled_errors_confirm_nothing_beyond_five_in_a_hundred() -> None:
    """40 data sets without a slice; more than 6 with an alarm has a probability below 1 in 200."""
    alarms = 0
    for seed in range(40):
        frame, labels, features = made(seed)
        alarms += bool(
            find(frame, labels, predict(labels, np.full(N, 0.1), seed), features)["confirmed"].any()
        )
    assert alarms <= 6


@pytest.mark.slow
def test_a_hard_class_is_no_slice() -> None:
    """Errors follow the class, and the class follows a property: that is for the recall table to say."""
    alarms = 0
    for seed in range(10):
        frame, labels, features = made(seed)
        frame = frame.with_columns(brightness=pl.Series(labels / 4 + 0.25 * frame["brightness"].to_numpy()))
        error = np.array([0.02, 0.05, 0.1, 0.4])[labels]
        alarms += bool(find(frame, labels, predict(labels, error, seed), features)["confirmed"].any())
    assert alarms <= 2


def test_a_perfect_model_has_no_slices() -> None:
    frame, labels, features = made(3)
    assert len(find(frame, labels, labels, features)) == 0


def test_excess_is_fishers_exact_test_for_one_class() -> None:
    rng = np.random.default_rng(0)
    inside, wrong = rng.random(80) < 0.3, rng.random(80) < 0.2
    cells = [[int(((inside == i) & (wrong == w)).sum()) for w in (True, False)] for i in (True, False)]
    ours = excess_p(inside, wrong, np.zeros(80, dtype=np.int64), np.ones(80, dtype=bool))
    assert ours == pytest.approx(fisher_exact(cells, alternative="greater").pvalue)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("more", [0, 300, 3000])
def test_excess_among_very_many_images_is_the_hypergeometric_tail(more: int) -> None:
    n, errors, drawn = 200_000, 120_000, 40_000
    inside = np.arange(n) < drawn
    wrong = np.zeros(n, dtype=bool)
    hit = errors * drawn // n + more
    wrong[:hit] = True
    wrong[drawn : drawn + errors - hit] = True
    ours = excess_p(inside, wrong, np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool))
    assert ours == pytest.approx(hypergeom.sf(hit - 1, n, errors, drawn), rel=1e-6, abs=1e-95)


def test_excess_of_two_classes_agrees_with_shuffles_within_them() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 60)
    inside, wrong = rng.random(120) < 0.3, rng.random(120) < np.where(labels == 0, 0.1, 0.4)
    ours = excess_p(inside, wrong, labels, np.ones(120, dtype=bool))
    order = rng.random((20_000, 2, 60)).argsort(axis=2) + np.array([0, 60])[:, None]
    drawn = wrong[order.reshape(20_000, 120)][:, inside].sum(axis=1)
    assert ours == pytest.approx((drawn >= (inside & wrong).sum()).mean(), abs=0.015)


def test_halves_are_even_within_strata() -> None:
    strata = np.random.default_rng(0).integers(5, size=300)
    half = stratified_half(strata, np.random.default_rng(1))
    sizes = np.array([[((strata == s) & (half == side)).sum() for side in (True, False)] for s in range(5)])
    assert (np.abs(sizes[:, 0] - sizes[:, 1]) <= 1).all()


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-np.inf, 0.75, "border red ≤ 0.75"),
        (0.25, np.inf, "border red > 0.25"),
        (0.25, 0.75, "0.25 < border red ≤ 0.75"),
    ],
)
def test_conditions_read_as_intervals(low: float, high: float, text: str) -> None:
    assert condition_text("border_red", low, high) == text


def doubting(seed: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A model that is unsure of dark images and right as often as it says: no slice beyond its own doubt."""
    frame, labels, features = made(seed)
    dark = frame["brightness"].to_numpy() < 0.2
    risk = np.where(dark, 0.35, 0.06) * np.random.default_rng(seed).uniform(0.5, 1.5, N)
    return frame, labels, features, risk, predict(labels, risk, seed)


@pytest.mark.slow
def test_what_the_model_doubts_itself_is_no_slice() -> None:
    """More than 3 of 6 such models with a confirmed slice has a chance below 1 in 1,000 at 5 %."""
    alarms, found_before = 0, 0
    for seed in range(6):
        frame, labels, features, risk, predicted = doubting(seed)
        given = (frame, labels, predicted, CLASSES, np.arange(N))
        beyond = slices_table(*given, features=features, doubt=risk, clusters=6, seed=0).frame
        alarms += bool(beyond["confirmed"].any())
        found_before += bool(find(frame, labels, predicted, features)["confirmed"].any())
    assert alarms <= 3
    assert found_before == 6


def test_what_the_model_does_not_doubt_is_found() -> None:
    frame, labels, features = made(0)
    dark = (frame["brightness"] <= 0.15).to_numpy()
    predicted = predict(labels, np.where(dark, 0.4, 0.08), 0)
    found = slices_table(
        frame, labels, predicted, CLASSES, np.arange(N), features=features, doubt=np.full(N, 0.08), seed=0
    ).frame
    assert found["confirmed"][0]
    assert found["description"][0].startswith("brightness ≤ ")


def test_many_classes_are_grouped_by_the_same_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    _, labels, _, risk, predicted = doubting(3)
    first = stratified_half(labels, np.random.default_rng(0))
    dense = risk_strata(risk, labels, predicted != labels, first)
    monkeypatch.setattr(slices, "DENSE_CLASSES", 0)
    sparse = risk_strata(risk, labels, predicted != labels, first)
    assert (dense == sparse).mean() > 0.99


def test_groups_of_equal_risk_hold_errors_and_are_finest_where_errors_are() -> None:
    _, labels, _, risk, predicted = doubting(3)
    first = stratified_half(labels, np.random.default_rng(0))
    strata = risk_strata(risk, labels, predicted != labels, first)
    errors = np.bincount(strata[predicted != labels])
    assert errors.min() >= 4
    sizes = np.bincount(strata)
    assert sizes[0] > 2 * sizes[-1]
    assert (risk_strata(risk, labels, np.zeros(N, dtype=bool), first) == 0).all()


def test_images_of_one_group_cannot_be_halved() -> None:
    frame, labels, features = made(0)
    table = slices_table(
        frame, labels, predict(labels, np.full(N, 0.2), 1), CLASSES, np.arange(N), features=features,
        doubt=np.full(N, 0.2), image_groups=np.zeros(N, dtype=np.int64), seed=0,
    )  # fmt: skip
    assert table.frame.is_empty()
    assert "All images belong to one group" in table.caption


@pytest.mark.parametrize(
    ("total", "errors", "drawn"), [(5000, 700, 400), (30, 20, 25), (9, 0, 4), (7, 7, 3), (4, 2, 4), (1, 1, 1)]
)
def test_errors_among_the_drawn_are_hypergeometric(total: int, errors: int, drawn: int) -> None:
    theirs = hypergeom.pmf(np.arange(min(errors, drawn) + 1), total, errors, drawn)
    assert drawn_errors_pmf(total, errors, drawn) == pytest.approx(theirs, rel=1e-9, abs=1e-300)
