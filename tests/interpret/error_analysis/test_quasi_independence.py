"""Expected errors against closed forms; unequal classes raise no alarm, and a pair makes no others."""

import numpy as np
import pytest

from deepsight.interpret.error_analysis.quasi_independence import expected_counts, leaving_enough, pair_tests

K = 6


def matrices(sizes: np.ndarray, error: np.ndarray, repeats: int) -> np.ndarray:
    """Confusion matrices (repeats, k, k) whose errors fall on the other classes evenly."""
    k, rng = len(sizes), np.random.default_rng(0)
    rates = np.where(np.eye(k, dtype=bool), 1 - error[:, None], error[:, None] / (k - 1))
    return np.stack([rng.multinomial(n, p, size=repeats) for n, p in zip(sizes, rates, strict=True)], axis=1)


def test_expected_errors_have_the_observed_sums_and_the_form_of_a_product() -> None:
    counts = matrices(np.arange(100, 700, 100), np.full(K, 0.2), 1)[0]
    expected, errors = expected_counts(counts), counts * (1 - np.eye(K, dtype=int))
    assert expected.sum(axis=0) == pytest.approx(errors.sum(axis=0), abs=1e-4)
    assert expected.sum(axis=1) == pytest.approx(errors.sum(axis=1), abs=1e-4)
    assert expected[0, 1] * expected[2, 3] == pytest.approx(expected[0, 3] * expected[2, 1], rel=1e-6)
    assert (expected_counts(np.diag([3, 4, 5])) == 0).all()


def test_a_quasi_independent_matrix_is_its_own_expectation() -> None:
    table = np.outer([1.0, 2, 3, 50], [4.0, 1, 2, 8]) * (1 - np.eye(4))
    assert expected_counts(table) == pytest.approx(table, rel=1e-6)
    left_out = np.zeros((4, 4), dtype=bool)
    left_out[0, 3] = True
    raised = table.copy()
    raised[0, 3] = 500
    assert expected_counts(raised, left_out) == pytest.approx(table, rel=1e-5)


UNEQUAL = {
    "one hard class": (np.full(10, 500), np.array([0.6] + [0.06] * 9)),
    "one large class": (np.array([5000] + [300] * 9), np.full(10, 0.1)),
    "one huge class": (np.array([20_000] + [100] * 9), np.full(10, 0.1)),
    "three classes": (np.array([5000, 300, 300]), np.full(3, 0.1)),
}


@pytest.mark.parametrize("case", UNEQUAL)
def test_unequal_classes_raise_no_alarm(case: str) -> None:
    """Errors that fall evenly: more than 8 of 60 runs with an alarm has a chance of about 1 in 200 at 5 %."""
    assert sum(pair_tests(c).q_values.min() <= 0.05 for c in matrices(*UNEQUAL[case], 60)) <= 8


def test_a_frequent_pair_makes_no_other_seem_frequent() -> None:
    """A fifth of class 0 is called 1 and the reverse: both are flagged, and others at most by chance."""
    others = 0
    for counts in matrices(np.full(8, 400), np.full(8, 0.1), 40):
        counts[0, 0], counts[0, 1] = counts[0, 0] - 80, counts[0, 1] + 80
        counts[1, 1], counts[1, 0] = counts[1, 1] - 80, counts[1, 0] + 80
        flagged = pair_tests(counts).q_values <= 0.05
        assert flagged[0, 1]
        assert flagged[1, 0]
        others += flagged.sum() - 2
    assert others <= 12  # a false discovery rate of 5 % allows 0.1 a run


def test_rows_keep_cells_to_be_fitted_to() -> None:
    flagged = np.zeros((5, 5), dtype=bool)
    flagged[0, 1:4] = True
    flagged[2, 3] = True
    kept = leaving_enough(flagged)
    assert not kept[0].any()
    assert kept[2, 3]
