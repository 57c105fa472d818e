"""Inputs to try on a foreign model: the first that it takes, and the variants that the audit compares."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.model.foreign.foreign_model import Prepare, run_network
from deepsight.model.foreign.input_format import InputFormat, normalisations, variants
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import OutputReading, output_tensor, read_outputs

SIDES = (224, 32, 64, 28, 96, 128, 256, 299, 384)  # tried in this order where the input's size is unknown
BATCH = 64
DOCUMENTED = "as documented"


def assumed_format(network: Network, sample: Dataset) -> InputFormat:
    """An input that the network takes, where nothing is documented: the first that it runs on.

    Raises:
        DeepSightError: it runs on none of the usual ones.
    """
    stored = min(sample.images.shape[1:3])
    sizes = [network.size] if network.size else [(s, s) for s in dict.fromkeys((stored, *SIDES))]
    layouts: Sequence[Any] = [network.layout] if network.layout else ["nchw", "nhwc"]
    failure: DeepSightError | None = None
    for layout in layouts:
        for height, width in sizes:
            for channels in ("rgb", "grey"):
                one: Mapping[str, Any] = {} if channels == "rgb" else {"mean": (0.0,), "std": (1.0,)}
                tried = InputFormat(height, width, layout=layout, channels=channels, **one)
                try:
                    raw_outputs(network, tried, sample.select(np.arange(min(2, len(sample)))))
                except DeepSightError as error:
                    failure = failure or error
                    continue
                return tried
    raise failure or DeepSightError("Expected an input that the model takes, found none.")


def formats_to_try(
    network: Network, base: InputFormat, columns: Ints, sample: Dataset, *, documented: bool
) -> dict[str, InputFormat]:
    """The reference and its variants; without documentation the scaling is settled first, by macro-F1."""
    side = min(sample.images.shape[1:3])
    if documented:
        return {DOCUMENTED: base, **variants(base, stored_side=side)}
    scalings = normalisations(base)
    if base.channels != "grey":
        swapped = normalisations(replace(base, channels="bgr"))
        scalings |= {f"{name}, channels swapped": each for name, each in swapped.items()}
    scored: dict[str, float] = {}
    for name, each in scalings.items():
        found = raw_outputs(network, each, sample)
        scored[name] = float((answers(read_outputs(found), columns, found) == sample.labels).mean())
    best = max(scored, key=lambda name: scored[name])
    finer = {f"{best}, {word}": each for word, each in variants(scalings[best], stored_side=side).items()}
    kept = {name: each for name, each in finer.items() if each not in scalings.values()}
    return {best: scalings[best], **{n: f for n, f in scalings.items() if n != best}, **kept}


def raw_outputs(network: Network, prepare: Prepare | InputFormat, sample: Dataset) -> Tensor:
    """What the network returns for the sample, (n, width)."""
    size = network.batch or BATCH
    parts = []
    with torch.no_grad():
        for start in range(0, len(sample), size):
            inputs = prepare(sample.pixels(slice(start, start + size)))
            parts.append(output_tensor(run_network(network, inputs)).detach().float().cpu())
    return torch.cat(parts)


def answers(reading: OutputReading, columns: Ints, outputs: Tensor) -> Ints:
    """The predicted class of each image, int64 (n,)."""
    return np.asarray(reading.logits(outputs).numpy()[:, columns].argmax(axis=1), dtype=np.int64)
