"""The closed-form head against scikit-learn's ridge and against leaving each image out for real."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import Ridge

from deepsight.model.training.linear_probe import STRENGTHS, fit_linear_probe


def made(n: int, d: int, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features that carry part of the label, off the origin and of unequal scale."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    labels[:k] = np.arange(k)
    features = rng.normal(size=(n, d)) * rng.uniform(0.2, 2, d) + 1.5
    features[:, :k] += 0.9 * np.eye(k)[labels]
    return features, labels


def penalty_of(features: np.ndarray, strength: float) -> float:
    centred = features - features.mean(0)
    return strength * float(np.trace(centred.T @ centred)) / features.shape[1]


def gcv(features: np.ndarray, target: np.ndarray, penalty: float) -> float:
    """From the hat matrix itself, the column of ones included."""
    n, d = features.shape
    x = features - features.mean(0)
    hat = x @ np.linalg.solve(x.T @ x + penalty * np.eye(d), x.T) + 1 / n
    left = np.eye(n) - hat
    return float(((left @ target) ** 2).sum() / (np.trace(left) / n) ** 2)


@pytest.mark.parametrize(("n", "d"), [(80, 6), (40, 60)])
def test_the_strength_has_the_least_generalised_error_of_all(n, d):
    features, labels = made(n, d)
    errors = [gcv(features, np.eye(3)[labels], penalty_of(features, s)) for s in STRENGTHS]
    chosen = fit_linear_probe(features, labels, 3).strength
    assert errors[int(np.flatnonzero(chosen == STRENGTHS)[0])] == pytest.approx(min(errors), rel=1e-9)
    assert STRENGTHS[0] < chosen


@pytest.mark.parametrize(("n", "d"), [(80, 6), (40, 60)])
def test_the_weights_are_those_of_ridge_regression_times_one_scale(n, d):
    features, labels = made(n, d)
    head = fit_linear_probe(features, labels, 3)
    ridge = Ridge(alpha=penalty_of(features, head.strength)).fit(features, np.eye(3)[labels])
    np.testing.assert_allclose(head.weight, head.scale * ridge.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(head.bias, head.scale * ridge.intercept_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(head(features), head.scale * ridge.predict(features), rtol=1e-6)


@pytest.mark.parametrize(("n", "d"), [(50, 5), (30, 45)])
def test_the_scale_fits_outputs_for_images_that_were_left_out(n, d):
    features, labels = made(n, d)
    head = fit_linear_probe(features, labels, 3)
    alpha, target = penalty_of(features, head.strength), np.eye(3)[labels]
    outputs = np.empty((n, 3))
    for i in range(n):
        rest = np.arange(n) != i
        outputs[i] = Ridge(alpha=alpha).fit(features[rest], target[rest]).predict(features[[i]])[0]

    def loss(log_scale: float) -> float:
        return -float(log_softmax(np.exp(log_scale) * outputs, axis=1)[np.arange(n), labels].mean())

    best = minimize_scalar(loss, bounds=(-2, 5), method="bounded").x
    assert head.scale == pytest.approx(float(np.exp(best)), rel=1e-3)


def test_fewer_images_than_features_still_generalise():
    """A planted class mean among 300 features: the head finds it from 90 images."""
    features, labels = made(400, 300, seed=2)
    features[:, :3] += 4 * np.eye(3)[labels]
    head = fit_linear_probe(features[:90], labels[:90], 3)
    assert (head(features[90:]).argmax(1) == labels[90:]).mean() > 0.6


def test_a_class_without_images_is_never_the_likeliest():
    features, labels = made(60, 5)
    assert (fit_linear_probe(features, labels, 4)(features).argmax(1) < 3).all()


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-50, 50), seed=st.integers(0, 1000))
def test_a_shift_of_all_features_changes_no_logit(shift, seed):
    features, labels = made(40, 4, seed=seed)
    before = features.copy()
    plain = fit_linear_probe(features, labels, 3)(features)
    moved = fit_linear_probe(features + shift, labels, 3)(features + shift)
    np.testing.assert_allclose(moved, plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(features, before)
