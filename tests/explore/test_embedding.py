"""Classes that are apart in features stay apart on the map; classes that are not do not."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from deepsight.explore import embedding

CLASSES = ("a", "b", "c")


def clouds(distance: float, n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=n)
    return (distance * np.eye(3, 20)[labels] + rng.normal(size=(n, 20))).astype(np.float16), labels


@pytest.mark.slow
def test_planted_classes_stay_apart_on_the_map() -> None:
    features, labels = clouds(8.0)
    frame = embedding.embedding_table(features, labels, CLASSES, np.arange(240) + 1000, seed=0).frame
    place = frame.select("x", "y").to_numpy()
    assert KNeighborsClassifier(5).fit(place, labels).score(place, labels) > 0.97
    assert frame["agreement"].mean() > 0.97  # type: ignore[operator]
    assert frame["index"].to_list() == list(range(1000, 1240))


@pytest.mark.slow
def test_without_classes_neighbours_agree_by_chance() -> None:
    features, labels = clouds(0.0)
    frame = embedding.embedding_table(features, labels, CLASSES, np.arange(240), seed=0).frame
    assert 0.27 < frame["agreement"].mean() < 0.4  # type: ignore[operator]


def test_limit_draws_rows_and_keeps_their_classes() -> None:
    features, labels = clouds(8.0)
    frame = embedding.embedding_table(features, labels, CLASSES, np.arange(240), limit=40, seed=0).frame
    assert len(frame) == 40
    assert frame["class"].to_list() == [CLASSES[labels[i]] for i in frame["index"]]


def test_a_handful_of_images_is_placed_by_principal_components() -> None:
    features, labels = clouds(8.0)
    table = embedding.embedding_table(features[:6], labels[:6], CLASSES, np.arange(6), seed=0)
    assert len(table.frame) == 6
    assert table.frame.select("x", "y").to_numpy().std() > 0


@pytest.mark.parametrize("features", [np.full((40, 6), 3.0), np.arange(40.0)[:, None]])
def test_equal_images_and_a_single_feature_have_a_place(features: np.ndarray) -> None:
    frame = embedding.embedding_table(features, np.arange(40) % 3, CLASSES, np.arange(40), seed=0).frame
    assert np.isfinite(frame.select("x", "y").to_numpy()).all()
