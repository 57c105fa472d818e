"""Whatever a model returns is read as the same logits, or refused with a sentence."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deepsight.core.errors import DeepSightError
from deepsight.model.foreign.outputs import output_tensor, read_outputs

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]])


@pytest.mark.parametrize(
    "returned",
    [
        LOGITS, LOGITS.numpy(), {"logits": LOGITS}, {"anything": LOGITS}, (LOGITS, LOGITS), [LOGITS],
        SimpleNamespace(logits=LOGITS, loss=None), LOGITS[:, :, None, None], (torch.tensor(0.3), LOGITS),
    ],
)  # fmt: skip
def test_the_scores_are_found(returned: object) -> None:
    assert torch.equal(output_tensor(returned), LOGITS)


@pytest.mark.parametrize(
    "returned",
    [{"a": LOGITS, "b": LOGITS[:, :2]}, [], None, "logits", LOGITS[:, :, None, None].expand(2, 3, 4, 4)],
)
def test_what_is_no_classification_is_refused(returned: object) -> None:
    with pytest.raises(DeepSightError, match="Expected"):
        output_tensor(returned)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (LOGITS, "logits"), (LOGITS.softmax(1), "probabilities"),
        (LOGITS.log_softmax(1), "log-probabilities"),
        (LOGITS.softmax(1).half(), "probabilities"),
    ],
)  # fmt: skip
def test_probabilities_are_those_of_the_logits(made: torch.Tensor, kind: str) -> None:
    reading = read_outputs(made)
    assert (reading.kind, reading.width) == (kind, 3)
    torch.testing.assert_close(reading.logits(made).softmax(1), LOGITS.softmax(1), atol=1e-3, rtol=1e-2)


def test_independent_probabilities_become_log_odds() -> None:
    reading = read_outputs(LOGITS.sigmoid())
    assert reading.kind == "independent probabilities"
    torch.testing.assert_close(reading.logits(LOGITS.sigmoid()), LOGITS, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 1), (2,)])
def test_one_logit_is_two_classes(shape: tuple[int, ...]) -> None:
    z = torch.tensor([-1.5, 2.0])
    for made, kind in ((z, "one logit"), (z.sigmoid(), "one probability")):
        outputs = output_tensor(made.reshape(shape))
        reading = read_outputs(outputs)
        assert (reading.kind, reading.width) == (kind, 2)
        torch.testing.assert_close(reading.logits(outputs).softmax(1)[:, 1], z.sigmoid())


def test_outputs_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DeepSightError, match="1 of 2 images"):
        read_outputs(torch.tensor([[1.0, np.nan], [0.0, 1.0]]))


def test_gradients_pass() -> None:
    made = LOGITS.softmax(1).requires_grad_(True)
    read_outputs(made).logits(made)[:, 0].sum().backward()
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
