"""What is chosen to be labelled beats a random choice where it can, and loses nothing where it cannot."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from deepsight.interpret.levers.images_to_label import choose_diverse, class_gain, expected_error

K, D = 4, 16


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def draw(rng: np.random.Generator, n: int, *, hidden: float) -> tuple[np.ndarray, np.ndarray]:
    """Four classes; a share of class 3 looks otherwise, and is rare."""
    labels = rng.integers(K, size=n)
    centres = 3 * np.eye(K, D)[labels]
    other = (labels == 3) & (rng.random(n) < hidden)
    centres[other] = 3 * np.eye(K, D)[0] + 3 * np.eye(1, D, 9)
    return centres + rng.normal(size=(n, D)), labels


def gain(seed: int, *, hidden: float, chooser: str) -> float:
    """Accuracy after 30 more labels, from 60 labels that hold none of the hidden kind."""
    rng = np.random.default_rng(seed)
    train, val = draw(rng, 60, hidden=0), draw(rng, 200, hidden=hidden)
    pool, test = draw(rng, 600, hidden=hidden), draw(rng, 3000, hidden=hidden)
    model = LogisticRegression(max_iter=300).fit(*train)
    if chooser == "random":
        rows = rng.choice(600, 30, replace=False)
    else:
        similarity = unit(pool[0]) @ unit(val[0]).T
        wrong = (model.predict(val[0]) != val[1]).astype(np.int64)
        value = expected_error(model.predict_proba(pool[0]), similarity, wrong)
        distance = 1 - (unit(pool[0]) @ unit(train[0]).T).max(axis=1)
        rows = choose_diverse(value, unit(pool[0]), distance, 30, reach=0.6)
    more = np.concatenate([train[0], pool[0][rows]]), np.concatenate([train[1], pool[1][rows]])
    return LogisticRegression(max_iter=300).fit(*more).score(*test)


@pytest.mark.slow
def test_it_beats_random_where_a_kind_of_image_is_missing() -> None:
    differences = np.array(
        [gain(s, hidden=0.5, chooser="ours") - gain(s, hidden=0.5, chooser="random") for s in range(12)]
    )
    assert differences.mean() > 2 * differences.std(ddof=1) / np.sqrt(12) > 0


@pytest.mark.slow
def test_it_loses_little_where_nothing_is_missing() -> None:
    differences = [gain(s, hidden=0, chooser="ours") - gain(s, hidden=0, chooser="random") for s in range(8)]
    assert np.mean(differences) > -0.01


def test_copies_and_junk_are_not_chosen_twice() -> None:
    rng = np.random.default_rng(0)
    features = unit(rng.normal(size=(50, D)))
    features[1:10] = features[0]
    rows = choose_diverse(np.ones(50), features, np.full(50, 0.5), 20, reach=0.5)
    assert len(set(rows) & set(range(10))) == 1
    far = np.full(50, 0.2)
    far[7] = 1.9  # reach stops it from being sought for its distance
    value = np.linspace(1, 2, 50)
    assert choose_diverse(value, features, far, 1, reach=0.2)[0] == 49


def test_classes_that_gain_more_count_more_and_none_is_left_out() -> None:
    probabilities = np.eye(3)
    weights = class_gain(probabilities, np.array([0.06, 0.03, -0.02]))
    assert weights.tolist() == pytest.approx([2.0, 1.0, 0.1])
    assert class_gain(probabilities, None).tolist() == [1, 1, 1]
    assert class_gain(probabilities, np.zeros(3)).tolist() == [1, 1, 1]


def test_errors_nearby_raise_the_expected_error() -> None:
    probabilities = np.tile([0.9, 0.1], (2, 1))
    similarity = np.array([[1.0] * 10 + [0.0] * 10, [0.0] * 10 + [1.0] * 10])
    wrong = np.repeat([1, 0], 10)
    near, far = expected_error(probabilities, similarity, wrong)
    assert near == pytest.approx((0.1 + 10.5 / 11) / 2)
    assert far == pytest.approx((0.1 + 0.5 / 11) / 2)
