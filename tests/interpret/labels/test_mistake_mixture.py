"""The mixture of labels that a classifier foresees and of people's mistakes: its parts, by their formulas."""

import numpy as np
import pytest
from scipy.special import softmax

from deepsight.interpret.labels.mistake_mixture import (
    IMAGE_DEPENDENT,
    class_transitions,
    fit_mistakes,
    judged_columns,
    mistake_likelihood,
    mixture_parts,
    ramp,
)


@pytest.mark.parametrize(("value", "weight"), [(0.0, 0.0), (0.02, 0.0), (0.03, 0.5), (0.04, 1.0), (1.0, 1.0)])
def test_a_ramp_is_linear_between_its_ends(value: float, weight: float) -> None:
    assert ramp(value, (0.02, 0.04)) == pytest.approx(weight)


def test_mistakes_on_any_image_follow_the_confusions_and_others_the_image() -> None:
    pairs = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    beliefs = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.0, 0.5]])
    clear_usual, clear_odd, unclear = mistake_likelihood(beliefs, np.array([1, 2, 2]), pairs)
    assert clear_usual == pytest.approx(1 - IMAGE_DEPENDENT)
    assert clear_odd == pytest.approx(0)
    assert unclear == pytest.approx(IMAGE_DEPENDENT * 0.25 / (0.5 / 3))  # no class is taken for the last one


def test_transitions_are_the_shared_probability_of_two_classes() -> None:
    beliefs = np.array([[0.8, 0.2, 0.0, 0.0], [0.1, 0.9, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    found = class_transitions(beliefs)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found[0].tolist() == pytest.approx([0, 1, 0, 0])
    assert found[2].tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])  # taken for none


@pytest.mark.parametrize("bend", [0.0, 0.1])
def test_the_parts_of_the_mixture_are_those_of_its_formula(bend: float) -> None:
    rng = np.random.default_rng(8)
    beliefs, labels = rng.dirichlet(np.ones(4), size=50), rng.integers(4, size=50)
    transitions, logs = class_transitions(beliefs), np.log(beliefs)
    mistaken, right = mixture_parts(judged_columns(logs, labels, transitions), np.array([-2.0, 0.3, bend]))
    share = 1 / (1 + np.exp(2.0))
    clean = softmax(np.exp(0.3) * logs - bend * logs**2, axis=1)
    assert right == pytest.approx((1 - share) * clean[np.arange(50), labels])
    assert mistaken == pytest.approx(share * mistake_likelihood(clean, labels, transitions))


def test_a_search_that_got_stuck_starts_again_from_the_nested_mixture() -> None:
    rng = np.random.default_rng(3)
    beliefs = rng.dirichlet(np.full(4, 0.3), size=400)
    labels = np.array([rng.choice(4, p=each) for each in beliefs])
    logs, transitions = np.log(np.maximum(beliefs, 1e-5)), class_transitions(beliefs)
    plain = fit_mistakes(logs, labels, transitions, most_bend=0.0)
    better = plain._replace(loss=-1.0)  # no search comes up to that
    bent = fit_mistakes(logs, labels, transitions, most_bend=0.1, nested=better)
    assert bent.loss <= plain.loss + 1e-9
