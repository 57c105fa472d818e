"""Predictions are valid from birth and survive the disk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from deepsight.core.errors import DeepSightError
from deepsight.core.predictions import Predictions


def made(**changes) -> Predictions:
    rng = np.random.default_rng(1)
    fields = {
        "ids": np.array([5, 2, 9]),
        "labels": np.array([0, 3, 1]),
        "logits": rng.normal(size=(3, 4)).astype(np.float32),
        "features": rng.normal(size=(3, 6)).astype(np.float32),
    }
    return Predictions(**{**fields, **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([0, 1])}, r"with n = 3"),
        ({"logits": np.zeros(3, dtype=np.float32)}, "logits"),
        ({"logits": np.zeros((2, 4), dtype=np.float32)}, "3 rows in every array"),
        ({"features": np.zeros((4, 6), dtype=np.float32)}, "3 rows in every array"),
        ({"features": np.zeros(3, dtype=np.float32)}, "features"),
        ({"labels": np.array([0, 4, 1])}, "labels from 0 to 3, received 0 to 4"),
        ({"labels": np.array([0, -1, 1])}, "labels from 0 to 3, received -1 to 1"),
        ({"logits": np.full((3, 4), np.nan, dtype=np.float32)}, "3 of 3 rows with NaN"),
    ],
)
def test_what_are_not_predictions_is_refused(change, message):
    with pytest.raises(DeepSightError, match=message):
        made(**change)


def test_one_infinite_logit_is_counted():
    logits = np.zeros((3, 4), dtype=np.float32)
    logits[1, 2] = np.inf
    with pytest.raises(DeepSightError, match="1 of 3 rows"):
        made(logits=logits)


@pytest.mark.slow
@given(arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32)))
def test_probabilities_equal_scipy_s_softmax(logits):
    before = logits.copy()
    predictions = made(logits=logits)
    np.testing.assert_allclose(predictions.probabilities, softmax(logits.astype(np.float64), axis=1))
    np.testing.assert_allclose(predictions.probabilities.sum(1), 1)
    np.testing.assert_array_equal(predictions.predicted, logits.argmax(1))
    np.testing.assert_array_equal(logits, before)


def test_what_is_saved_is_loaded(tmp_path):
    before = made()
    before.save(tmp_path / "test.npz")
    after = Predictions.load(tmp_path / "test.npz")
    np.testing.assert_array_equal(after.ids, before.ids)
    np.testing.assert_array_equal(after.labels, before.labels)
    np.testing.assert_array_equal(after.logits, before.logits)
    np.testing.assert_array_equal(after.features, before.features.astype(np.float16))
    assert (after.logits.dtype, after.features.dtype) == (np.float32, np.float16)


def test_a_model_without_features_has_none():
    assert len(made(features=np.zeros((3, 0), dtype=np.float32))) == 3
