"""The time of an examination by a clock that is set by hand."""

import pytest

from deepsight.workflows.examine.budget import (
    AUDITED,
    PREDICTED,
    REFERENCE,
    REPORT,
    TimeBudget,
    images_for_passes,
)


def test_time_runs_from_when_the_budget_is_made() -> None:
    now = [100.0]
    budget = TimeBudget(5, lambda: now[0])
    assert budget.left() == pytest.approx(300 * (1 - REPORT))
    now[0] += 60
    assert budget.left() == pytest.approx(300 * (1 - REPORT) - 60)
    now[0] += 1000
    assert budget.left() == 0


def test_the_parts_before_the_checks_leave_most_of_the_time() -> None:
    assert AUDITED + PREDICTED + REFERENCE + REPORT < 0.5


@pytest.mark.parametrize(
    ("passes", "k", "documented", "images"),
    [
        (1e9, 4, False, 500), (4000, 4, True, 200), (4000, 4, False, 200), (599, 4, True, 30),
        (599, 4, False, 29), (200, 4, False, 20), (1, 4, False, 12), (1, 4, True, 30), (1, 100, False, 200),
        (1, 1000, True, 500),
    ],
)  # fmt: skip
def test_the_audit_of_a_slow_model_is_small(passes: float, k: int, documented: bool, images: int) -> None:
    assert images_for_passes(passes, k, documented=documented) == images
