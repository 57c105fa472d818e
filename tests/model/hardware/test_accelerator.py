"""A device that calculates wrongly is found out by its logits or its gradient."""

import dataclasses
import logging

import pytest
import torch

from deepsight.model.hardware import accelerator
from deepsight.model.hardware.accelerator import (
    StepAnswer,
    reason_to_distrust,
    step_answer,
    trusted_accelerator,
)


@pytest.fixture(autouse=True)
def few_small_images(monkeypatch):
    monkeypatch.setattr(accelerator, "IMAGES", 8)
    monkeypatch.setattr(accelerator, "SIDE", 32)


def device_that(change):
    """A stand-in for an accelerator: the processor, and a planted fault."""

    def step(network, images, labels, device):
        assert device == "mps"
        return change(step_answer(network, images, labels, "cpu"))

    return step


def nearly_right(answer: StepAnswer) -> StepAnswer:
    return StepAnswer(answer.logits * 1.001, answer.gradient * 1.001)


def wrong_logits(answer: StepAnswer) -> StepAnswer:
    return dataclasses.replace(answer, logits=answer.logits.roll(1, dims=0))


def wrong_gradient(answer: StepAnswer) -> StepAnswer:
    return dataclasses.replace(answer, gradient=-answer.gradient)


def not_a_number(answer: StepAnswer) -> StepAnswer:
    return dataclasses.replace(answer, logits=answer.logits * float("nan"))


def out_of_memory(answer: StepAnswer) -> StepAnswer:
    raise RuntimeError("MPS backend out of memory\nmore")


@pytest.mark.slow
def test_rounding_is_no_reason():
    assert reason_to_distrust("mps", device_that(nearly_right)) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (wrong_logits, "logits differ"),
        (wrong_gradient, "its gradient by 200.0% of its norm"),
        (not_a_number, "by nan%"),
        (out_of_memory, "failed at a test step: MPS backend out of memory"),
    ],
)
def test_a_faulty_device_is_not_used(fault, said, caplog):
    with caplog.at_level(logging.WARNING):
        assert trusted_accelerator("mps", device_that(fault)) == "cpu"
    assert said in caplog.text
    assert "The processor is used instead." in caplog.text


def test_without_an_accelerator_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(accelerator, "accelerator_here", lambda: "cpu")
    assert trusted_accelerator(step=None) == "cpu"


@pytest.mark.slow
def test_the_check_leaves_the_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    reason_to_distrust("mps", device_that(nearly_right))
    assert torch.equal(torch.rand(1), expected)
