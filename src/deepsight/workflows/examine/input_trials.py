"""Input formats to try on a foreign model: the first that it accepts, and variants for the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Ints, Reals
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.statistics.scale_free_likelihood import scale_free_likelihood
from deepsight.interpret.audits.preprocessing import most_likely
from deepsight.model.foreign.foreign_model import Prepare, class_scores
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.input_variants import normalisations, variants
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import read_outputs
from deepsight.report.model_setup import DOCUMENTED

SIDES = (224, 32, 64, 28, 96, 128, 256, 299, 384, 336, 448, 512, 518, 192, 160, 48)  # tried in this order
BATCH = 64
MANY = 3  # images that show whether the model accepts any batch size


@dataclass(frozen=True)
class InputTrials:
    """The outputs of a network for a sample of images under each preprocessing tried; each is computed once.

    Attributes:
        network: the opened model.
        sample: labelled images.
        known: outputs (n, width) by preprocessing; the key of a function is its id.
    """

    network: Network
    sample: Dataset
    known: dict[InputFormat | int, Tensor] = field(default_factory=dict)

    def outputs(self, prepare: Prepare | InputFormat) -> Tensor:
        """The network's outputs for the sample, (n, width).

        Raises:
            DeepSightError: the network does not accept this input.
        """
        key = prepare if isinstance(prepare, InputFormat) else id(prepare)
        if key not in self.known:
            self.known[key] = raw_outputs(self.network, prepare, self.sample)
        return self.known[key]

    def scores(self, prepare: Prepare | InputFormat, columns: Ints) -> Reals:
        """The logits of each image, (n, k)."""
        outputs = self.outputs(prepare)
        return np.asarray(read_outputs(outputs).logits(outputs).numpy()[:, columns])

    def answers(self, prepare: Prepare | InputFormat, columns: Ints) -> Ints:
        """The predicted class of each image, int64 (n,)."""
        return np.asarray(self.scores(prepare, columns).argmax(axis=1), dtype=np.int64)

    def likelihood(self, prepare: Prepare | InputFormat, columns: Ints) -> float:
        """The mean log-probability of the sample's labels in nats, whatever the scale of the logits."""
        return scale_free_likelihood(self.scores(prepare, columns), self.sample.labels)


def with_fixed_batch(network: Network, prepare: Prepare | InputFormat, data: Dataset) -> Network:
    """The network with its fixed batch size, if it accepts one or two images but not three.

    Exported graphs may keep the batch size of the example that they were traced with.
    """
    if network.batch is not None or len(data) < MANY:
        return network
    few = prepare(data.pixels(np.arange(MANY)))
    if answers_to(network, few) is None:
        for size in (2, 1):
            if answers_to(network, few[:size]) is not None:
                return replace(network, batch=size)
    return network


def answers_to(network: Network, inputs: Tensor) -> Tensor | None:
    """The network's outputs for prepared inputs, or None if it fails."""
    try:
        with torch.no_grad():
            return class_scores(network, inputs)
    except DeepSightError:
        return None


def assumed_format(network: Network, data: Dataset) -> InputFormat:
    """The first usual input format that a network without documentation accepts, for two images or else one.

    Raises:
        DeepSightError: it accepts none of them.
    """
    samples = [data.select(np.arange(n)) for n in (2, 1) if n <= len(data)]
    stored = min(data.images.shape[1:3])
    sizes = [network.size] if network.size else [(s, s) for s in dict.fromkeys((stored, *SIDES))]
    layouts: Sequence[Any] = [network.layout] if network.layout else ["nchw", "nhwc"]
    failure: DeepSightError | None = None
    for few, layout, (height, width), grey in product(samples, layouts, sizes, (False, True)):
        one: dict[str, Any] = {"channels": "grey", "mean": (0.0,), "std": (1.0,)} if grey else {}
        tried = InputFormat(height, width, layout=layout, **one)
        try:
            raw_outputs(network, tried, few)
        except DeepSightError as error:
            failure = failure or error
            continue
        return tried
    raise failure or DeepSightError("Expected an input that the model accepts, found none.")


def formats_to_try(
    trials: InputTrials, base: InputFormat, columns: Ints, *, documented: bool, finer: bool
) -> dict[str, InputFormat]:
    """The reference and its variants by name; without documentation the best scaling is the reference.

    Its variants in crop and interpolation, which make small differences, are tried only if `finer`.
    """
    shape = trials.sample.images.shape
    stored = shape[1], shape[2]
    if documented:
        return {DOCUMENTED: base, **variants(base, stored=stored)}
    scalings = normalisations(base)
    if base.channels != "grey":
        swapped = normalisations(replace(base, channels="bgr"))
        scalings |= {f"{name}, BGR": each for name, each in swapped.items()}
    best = best_scaling(trials, scalings, columns)
    near = {f"{best}, {word}": each for word, each in variants(scalings[best], stored=stored).items()}
    kept = {name: each for name, each in near.items() if finer and each not in scalings.values()}
    return {best: scalings[best], **{n: f for n, f in scalings.items() if n != best}, **kept}


def best_scaling(trials: InputTrials, scalings: Mapping[str, InputFormat], columns: Ints) -> str:
    """The name of the scaling under which the labels are most probable, among those that the network accepts.

    Raises:
        DeepSightError: it accepts none.
    """
    found: dict[str, float] = {}
    failure: DeepSightError | None = None
    for name, each in scalings.items():
        try:
            found[name] = trials.likelihood(each, columns)
        except DeepSightError as error:
            failure = failure or error
    if failure and not found:
        raise failure
    return most_likely(found)[0]


def raw_outputs(network: Network, prepare: Prepare | InputFormat, sample: Dataset) -> Tensor:
    """The network's outputs for the sample, (n, width), computed in batches."""
    size = network.batch or BATCH
    parts = []
    with torch.no_grad():
        for start in range(0, len(sample), size):
            inputs = prepare(sample.pixels(slice(start, start + size)))
            parts.append(class_scores(network, inputs).detach().float().cpu())
    return torch.cat(parts)
