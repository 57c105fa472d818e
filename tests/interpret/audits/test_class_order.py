"""Exchanged classes are named; confusion, however large, is no exchange."""

import numpy as np
import pytest

from deepsight.interpret.audits.class_order import audit_class_order

CLASSES = ("dog", "cat", "owl", "ant")
N = 200
LABELS = np.arange(N) % 4


def answers(share_right: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(N) < share_right, LABELS, rng.integers(4, size=N))


def test_two_exchanged_classes_are_named() -> None:
    swapped = np.array([1, 0, 2, 3])[answers(0.8)]
    audit = audit_class_order(LABELS, swapped, CLASSES)
    assert audit.choice.tolist() == [1, 0, 2, 3]
    assert audit.warning is not None
    assert "'dog' is answered as 'cat'" in audit.warning
    assert audit.warning.endswith("--classes cat,dog,owl,ant")
    assert audit.table.frame["exchanged"].to_list() == [True, True, False, False]


def test_the_alphabetical_order_is_recognised() -> None:
    outputs = sorted(CLASSES)
    said = np.array([outputs.index(name) for name in CLASSES])[answers(0.9)]
    audit = audit_class_order(LABELS, said, CLASSES)
    assert audit.warning is not None
    assert "ImageFolder" in audit.warning
    assert audit.warning.endswith("--classes " + ",".join(outputs))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_a_weak_model_is_not_taken_for_an_exchange(share: float, seed: int) -> None:
    audit = audit_class_order(LABELS, answers(share, seed), CLASSES)
    assert audit.warning is None
    assert audit.choice.tolist() == [0, 1, 2, 3]


def test_a_class_that_is_always_taken_for_another_is_no_exchange() -> None:
    said = np.where(LABELS == 0, 1, LABELS)
    assert audit_class_order(LABELS, said, CLASSES).warning is None
