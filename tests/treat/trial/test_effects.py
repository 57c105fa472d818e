"""Effects against scikit-learn; planted effects and clean controls."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from deepsight.treat.treatments.base import Target
from deepsight.treat.trial.effects import class_effects, macro_effect, target_effect, target_weights
from made_arms import noisy

LABELS = np.repeat(np.arange(3), 300).astype(np.int64)


def arms(rates: list[float], seeds: int = 5, first: int = 0) -> np.ndarray:
    return np.stack([noisy(LABELS, rates, first + s) for s in range(seeds)])


CONTROL, BETTER = arms([0.1, 0.1, 0.4]), arms([0.1, 0.1, 0.1], first=50)


def test_effects_of_classes_are_differences_of_scikit_learns_f1() -> None:
    found = class_effects(LABELS, CONTROL, BETTER, 3, level=0.95)
    scores = [np.mean([f1_score(LABELS, p, average=None) for p in arm], axis=0) for arm in (CONTROL, BETTER)]
    assert [e.value for e in found] == pytest.approx(scores[1] - scores[0])


def test_a_target_of_all_classes_is_macro_f1() -> None:
    together = target_effect(Target(classes=(0, 1, 2)), LABELS, CONTROL, BETTER, 3, level=0.95)
    assert together == pytest.approx(macro_effect(LABELS, CONTROL, BETTER, 3, level=0.95))


def test_a_target_weighs_its_classes_alike() -> None:
    assert target_weights(Target(pairs=((0, 2),)), 3).tolist() == [0.5, 0, 0.5]
    assert target_weights(Target(pairs=((0, 1), (1, 2))), 4) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert target_weights(Target(classes=(1,)), 3).tolist() == [0, 1, 0]
    assert target_weights(Target(), 4) == pytest.approx([0.25] * 4)


def test_a_model_that_never_names_a_pair_is_no_good_for_it() -> None:
    never = np.full_like(CONTROL, 2)
    effect = target_effect(Target(pairs=((0, 1),)), LABELS, never, np.tile(LABELS, (5, 1)), 3, level=0.95)
    assert effect.value == 1


def test_a_planted_gain_in_one_class_is_found_there_and_overall() -> None:
    macro = macro_effect(LABELS, CONTROL, BETTER, 3, level=0.95)
    cat = target_effect(Target(classes=(2,)), LABELS, CONTROL, BETTER, 3, level=0.95)
    assert macro.p_value < 0.01
    assert macro.low > 0
    assert cat.value > macro.value


def test_equal_arms_have_no_effect() -> None:
    effect = macro_effect(LABELS, CONTROL, CONTROL, 3, level=0.95)
    assert (effect.value, effect.p_value) == (0, 1)
    assert effect.low < 0 < effect.high
