"""The score of a part of the test set, beside what its classes predict."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from deepsight.core.predictions import Predictions
from deepsight.core.schemas.json_files import Metrics
from deepsight.workflows.metrics import metrics_without


def predictions(labels: np.ndarray, predicted: np.ndarray) -> Predictions:
    return Predictions(
        np.arange(len(labels)),
        labels,
        np.eye(3, dtype=np.float32)[predicted],
        np.zeros((len(labels), 0), "f4"),
    )


def test_images_left_out_at_random_leave_the_expected_score() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=6000)
    predicted = np.where(rng.random(6000) < 0.2, rng.integers(3, size=6000), labels)
    found = metrics_without(predictions(labels, predicted), rng.random(6000) < 0.9)
    assert found["macro_f1_without_leaks"] == pytest.approx(
        found["macro_f1_without_leaks_expected"], abs=0.008
    )
    assert found["macro_f1_without_leaks_expected"] == pytest.approx(
        f1_score(labels, predicted, average="macro"), abs=0.003
    )


def test_easy_images_left_out_are_seen_to_be_easy() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(3, size=3000)
    easy = rng.random(3000) < 0.3
    predicted = np.where(~easy & (rng.random(3000) < 0.3), (labels + 1) % 3, labels)
    found = metrics_without(predictions(labels, predicted), ~easy)
    assert found["macro_f1_without_leaks"] < found["macro_f1_without_leaks_expected"] - 0.05
    assert found["n_leaked"] == easy.sum()


def test_a_perfect_model_stays_perfect_where_a_class_is_left_out_whole() -> None:
    labels = np.repeat(np.arange(3), 20)
    found = metrics_without(predictions(labels, labels), labels != 2)
    assert found["macro_f1_without_leaks"] == found["macro_f1_without_leaks_expected"] == 1


def test_a_test_set_of_copies_alone_has_no_score_without_them() -> None:
    labels = np.repeat(np.arange(3), 4)
    found = metrics_without(predictions(labels, labels), np.zeros(12, bool))
    assert found.pop("n_leaked") == 12
    assert set(found.values()) == {None}
    stored = {
        "macro_f1": 1,
        "macro_f1_ci95": (1, 1),
        "accuracy": 1,
        "mva": 0,
        "mva_passed": True,
        "n_test": 12,
    }
    Metrics.model_validate(stored | found)
