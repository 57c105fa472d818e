"""Converts what a model returns to logits: dicts, tuples, probabilities, one logit for two classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError

Kind = Literal[
    "logits",
    "probabilities",
    "log-probabilities",
    "independent probabilities",
    "one logit",
    "one probability",
]
KEYS = ("logits", "scores", "output", "out", "probabilities", "probs", "predictions")
SMALLEST = 1e-7  # probabilities are clipped to at least this before the logarithm
ROUNDING = 1e-3  # tolerance of a sum of probabilities, as large as half precision needs


@dataclass(frozen=True)
class OutputReading:
    """How the outputs (b, width) of a model become logits.

    Attributes:
        kind: what the outputs are.
        width: the number of logits, at least 2.
    """

    kind: Kind
    width: int

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits (b, width) in float32, with gradients; their softmax is the model's probabilities."""
        values = outputs.float()
        if self.kind in ("one logit", "one probability"):
            positive = values.flatten(1)
            positive = positive if self.kind == "one logit" else log_odds(positive)
            return torch.cat([torch.zeros_like(positive), positive], dim=1)
        if self.kind == "probabilities":
            return values.clamp(min=SMALLEST).log()
        return log_odds(values) if self.kind == "independent probabilities" else values


def log_odds(probabilities: Tensor) -> Tensor:
    """log(p / (1 - p)), finite for 0 and 1."""
    p = probabilities.clamp(SMALLEST, 1 - SMALLEST)
    return torch.log(p) - torch.log1p(-p)


def output_tensor(returned: Any) -> Tensor:
    """The class scores (b, width) among what a model returned.

    Raises:
        DeepSightError: there is no such tensor, or it is ambiguous which one it is.
    """
    if isinstance(returned, np.ndarray):
        return output_tensor(torch.from_numpy(returned))
    if isinstance(returned, Tensor):
        return as_rows(returned)
    named = dict(returned) if isinstance(returned, Mapping) else named_attributes(returned)
    for key in KEYS:
        if named.get(key) is not None:
            return output_tensor(named[key])
    values = list(named.values()) if named else list(returned) if isinstance(returned, Sequence) else []
    return only_scores(values, returned)


def named_attributes(returned: Any) -> dict[str, Any]:
    """The known names among the attributes of an output object."""
    return {key: getattr(returned, key) for key in KEYS if getattr(returned, key, None) is not None}


def only_scores(values: Sequence[Any], returned: Any) -> Tensor:
    """The first output that has the shape of class scores, if all such outputs have the same shape."""
    arrays = [torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in values]
    found = [as_rows(v) for v in arrays if isinstance(v, Tensor) and is_scores(v)]
    several = len(found) > 1 and all(isinstance(v, Tensor) and v.ndim == 1 for v in arrays)
    if not found or several or len({tuple(v.shape) for v in found}) > 1:
        raise DeepSightError(
            f"Expected a model that returns class scores (b, k), received {described(returned)}. Wrap it in "
            "a module that returns the logits alone."
        )
    return found[0]


def is_scores(value: Tensor) -> bool:
    """Whether a tensor has the shape of class scores."""
    return value.is_floating_point() and (value.ndim in (1, 2) or trailing_ones(value))


def trailing_ones(value: Tensor) -> bool:
    """Whether a tensor is (b, k, 1, 1, …)."""
    return value.ndim > 2 and all(size == 1 for size in value.shape[2:])


def as_rows(value: Tensor) -> Tensor:
    """Class scores as (b, width).

    Raises:
        DeepSightError: the tensor has another shape, such as one score for each pixel.
    """
    if not is_scores(value):
        raise DeepSightError(
            f"Expected class scores (b, k) of a floating type, received {value.dtype} of shape "
            f"{tuple(value.shape)}. "
            + (
                "Let the model return the scores, not the class that it chooses."
                if value.ndim == 1
                else "Only image classifiers are examined."
            )
        )
    return value.reshape(len(value), -1)


def described(returned: Any) -> str:
    """What a model returned, in a few words."""
    if isinstance(returned, Mapping):
        return f"a {type(returned).__name__} with {', '.join(map(str, returned))}"
    if isinstance(returned, Sequence) and not isinstance(returned, str):
        shapes = [str(tuple(v.shape)) if hasattr(v, "shape") else type(v).__name__ for v in returned]
        return f"a {type(returned).__name__} of {', '.join(shapes) or 'nothing'}"
    return f"a {type(returned).__name__}"


def read_outputs(outputs: Tensor) -> OutputReading:
    """The kind of a sample of outputs (b, width), inferred from their values.

    Raises:
        DeepSightError: they are not finite, or are percentages.
    """
    values = outputs.detach().double()
    if not bool(torch.isfinite(values).all()):
        bad = int((~torch.isfinite(values).all(dim=1)).sum())
        raise DeepSightError(
            f"Expected finite outputs, received NaN or infinity for {bad} of {len(values)} images. "
            "Check the weights and the number format of the model."
        )
    if bool((values >= 0).all()) and bool(((values.sum(dim=1) - 100).abs() < 100 * ROUNDING).all()):
        raise DeepSightError(
            "Expected class scores, received rows from 0 to 100 that sum to 100. These are percentages: let "
            "the model return them divided by 100, or its logits."
        )
    unit = bool((values >= 0).all() and (values <= 1 + ROUNDING).all())
    if values.shape[1] == 1:
        return OutputReading("one probability" if unit else "one logit", 2)
    return OutputReading(kind_of_rows(values, unit), values.shape[1])


def kind_of_rows(values: Tensor, unit: bool) -> Kind:
    """The kind of outputs with one column per class."""
    if unit:
        one = bool(((values.sum(dim=1) - 1).abs() < ROUNDING).all())
        return "probabilities" if one else "independent probabilities"
    if bool((values <= 0).all()) and bool(((values.exp().sum(dim=1) - 1).abs() < ROUNDING).all()):
        return "log-probabilities"
    return "logits"
