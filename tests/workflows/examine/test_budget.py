"""The time of an examination by a clock that is set by hand."""

import pytest
import torch

from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import network_of_module
from deepsight.workflows.examine.budget import (
    AUDITED,
    PREDICTED,
    REFERENCE,
    REPORT,
    SOUGHT,
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
    assert SOUGHT + PREDICTED + REFERENCE + REPORT < 0.7


def test_a_network_without_documentation_gets_a_longer_audit() -> None:
    module = torch.nn.Flatten()
    known = network_of_module(module, "x", documented=InputFormat(8, 8))
    unknown = network_of_module(module, "x")
    documented, sought = (TimeBudget(5).for_network(network) for network in (known, unknown))
    assert (documented.audit_seconds, sought.audit_seconds) == (300 * AUDITED, 300 * SOUGHT)
    assert documented.usable - sought.usable == pytest.approx(SOUGHT - AUDITED)


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
