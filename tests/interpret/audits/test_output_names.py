"""Outputs are matched by their names; a background output is the one without which the answers are right."""

import numpy as np

from deepsight.interpret.audits.output_names import background_column, columns_of_names

CLASSES = ("dog", "cat", "owl", "ant")
N = 200
LABELS = np.arange(N) % 4


def half_right(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(N) < 0.5, LABELS, rng.integers(4, size=N))


def test_names_in_another_order_with_synonyms() -> None:
    outputs = ["Great Owl", "tabby, cat", "Dog", "ANT", "owl"]
    columns = columns_of_names(outputs, CLASSES)
    assert columns is not None
    assert columns.tolist() == [2, 1, 4, 3]
    assert columns_of_names(["dog", "cat", "owl"], CLASSES) is None
    assert columns_of_names(["dog", "dog", "cat", "owl", "ant"], CLASSES) is None


def test_the_background_output_is_the_one_without_which_answers_are_right() -> None:
    wrong = np.zeros(N, dtype=np.int64)
    assert background_column(LABELS, wrong, LABELS) == "first"
    assert background_column(wrong, LABELS, LABELS) == "last"
    assert background_column(half_right(1), half_right(2), LABELS) is None
