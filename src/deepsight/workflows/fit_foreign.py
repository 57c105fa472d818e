"""Somebody else's model, fitted to the data: preprocessing, reading of outputs, order of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import Evidence
from deepsight.interpret.class_order_audit import audit_class_order, background_column, columns_of_names
from deepsight.interpret.preprocessing_audit import audit_preprocessing
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model.foreign.foreign_model import ForeignModel, Prepare, foreign_model, run_network
from deepsight.model.foreign.input_format import InputFormat, normalisations, variants
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import OutputReading, output_tensor, read_outputs

AUDIT_IMAGES = 500
SIDES = (224, 32, 64, 28, 96, 128, 256, 299, 384)  # tried in this order where the input's size is unknown
BATCH = 64
SAME = 0.02  # accuracies that differ by less explain the same
DOCUMENTED, GIVEN = "as documented", "as given"


@dataclass(frozen=True)
class FittedModel:
    """A foreign model that speaks of the data's classes.

    Attributes:
        model: the model.
        evidence: tables `preprocessing_audit` and `class_order_audit`, as far as they were made.
        warnings: sentences that the reader must see.
        input_format: the preprocessing in use, or None where it is a function of the user.
    """

    model: ForeignModel
    evidence: Evidence = field(default_factory=Evidence)
    warnings: tuple[str, ...] = ()
    input_format: InputFormat | None = None


def fit_to_data(
    network: Network,
    data: Dataset,
    *,
    preprocess: Prepare | InputFormat | None = None,
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> FittedModel:
    """Find out how the model wants its images and what its outputs mean, on at most 500 labelled images.

    Args:
        network: the opened model.
        data: labelled images.
        preprocess: what is known about the preprocessing; it is then used as it is.
        classes: names of the outputs in their order, as the user states them.
        seed: random seed of the sample.

    Raises:
        DeepSightError: the outputs are not class scores of the data's classes, or stand in another order.
    """
    sample = data.select(balanced_rows(data.labels, AUDIT_IMAGES, np.random.default_rng(seed)))
    known: Prepare | InputFormat | None = preprocess or network.documented
    documented = known is not None
    if known is None:
        known = assumed_format(network, sample)
    outputs = raw_outputs(network, known, sample)
    reading = read_outputs(outputs)
    columns = columns_for(network, reading, reading.logits(outputs).numpy(), data, sample, classes)
    if preprocess is not None or not isinstance(known, InputFormat):
        return fitted(network, known, reading, columns, sample, classes)
    return with_audit(network, known, columns, sample, documented=documented, classes=classes)


def with_audit(
    network: Network,
    base: InputFormat,
    columns: Ints,
    sample: Dataset,
    *,
    documented: bool,
    classes: Sequence[str] | None,
) -> FittedModel:
    """The model with the preprocessing that the audit chooses."""
    formats = formats_to_try(network, base, columns, sample, documented=documented)
    tried: dict[str, Ints] = {}
    for name, each in formats.items():
        try:
            found = raw_outputs(network, each, sample)
            tried[name] = answers(read_outputs(found), columns, found)
        except DeepSightError:
            if not tried:
                raise  # the reference must work; an alternative may be one that the model does not take
    audit = audit_preprocessing(tried, sample.labels, sample.k, documented=documented)
    if classes is None:
        refuse_if_order_explains_more(tried[next(iter(tried))], tried[audit.chosen], sample)
    chosen = formats[audit.chosen]
    reading = read_outputs(raw_outputs(network, chosen, sample))
    made = fitted(network, chosen, reading, columns, sample, classes)
    warnings = made.warnings + ((audit.warning,) if audit.warning else ())
    return replace(
        made, evidence=Evidence({"preprocessing_audit": audit.table}).merge(made.evidence), warnings=warnings
    )


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


def fitted(
    network: Network,
    known: Prepare | InputFormat,
    reading: OutputReading,
    columns: Ints,
    sample: Dataset,
    classes: Sequence[str] | None,
) -> FittedModel:
    """The model with this preprocessing, and the audit of its class order."""
    is_format = isinstance(known, InputFormat)
    nhwc = known.layout == "nhwc" if isinstance(known, InputFormat) else network.layout == "nhwc"
    model = foreign_model(network, known, reading, columns, nhwc)
    predicted = model.logits(sample.pixels()).argmax(axis=1).astype(np.int64)
    refuse_exchanged(predicted, sample, stated=classes is not None)
    order = audit_class_order(sample.labels, predicted, sample.classes)
    warnings = tuple(w for w in (network.notice, order.warning or "") if w)
    used = known if is_format and isinstance(known, InputFormat) else None
    return FittedModel(model, Evidence({"class_order_audit": order.table}), warnings, used)


def refuse_if_order_explains_more(reference: Ints, chosen: Ints, sample: Dataset) -> None:
    """Refuse where another order of the outputs makes the reference better than any preprocessing is.

    Swapped channels may look like exchanged classes where classes are colours; what explains more is taken,
    and the preprocessing where both explain the same.

    Raises:
        DeepSightError: classes are exchanged.
    """
    audit = audit_class_order(sample.labels, reference, sample.classes)
    reordered = np.argsort(audit.order)[reference]
    gained = float((reordered == sample.labels).mean() - (chosen == sample.labels).mean())
    if audit.warning and gained > SAME:
        raise DeepSightError(audit.warning)


def refuse_exchanged(predicted: Ints, sample: Dataset, *, stated: bool) -> None:
    """Refuse outputs that are probably in another order, unless the user stated the order.

    Raises:
        DeepSightError: classes are exchanged; the message names them and the order that fits.
    """
    warning = audit_class_order(sample.labels, predicted, sample.classes).warning
    if warning and not stated:
        raise DeepSightError(warning)


def answers(reading: OutputReading, columns: Ints, outputs: Tensor) -> Ints:
    """The predicted class of each image, int64 (n,)."""
    return np.asarray(reading.logits(outputs).numpy()[:, columns].argmax(axis=1), dtype=np.int64)


def raw_outputs(network: Network, prepare: Prepare | InputFormat, sample: Dataset) -> Tensor:
    """What the network returns for the sample, (n, width)."""
    size = network.batch or BATCH
    parts = []
    with torch.no_grad():
        for start in range(0, len(sample), size):
            inputs = prepare(sample.pixels(slice(start, start + size)))
            parts.append(output_tensor(run_network(network, inputs)).detach().float().cpu())
    return torch.cat(parts)


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


def columns_for(
    network: Network,
    reading: OutputReading,
    logits: Any,
    data: Dataset,
    sample: Dataset,
    stated: Sequence[str] | None,
) -> Ints:
    """The output of each class of the data, int64 (k,).

    Raises:
        UsageError: the stated names are not those of the data, or not as many as there are outputs.
        DeepSightError: the number of outputs is not that of the classes, and names do not tell.
    """
    if stated is not None:
        return stated_columns(stated, reading.width, data)
    by_name = columns_of_names(network.classes, data.classes) if network.classes else None
    if by_name is not None:
        return by_name
    if reading.width == data.k:
        return np.arange(data.k)
    if reading.width == data.k + 1:
        first, last = logits[:, 1:].argmax(axis=1), logits[:, :-1].argmax(axis=1)
        which = background_column(first, last, sample.labels)
        if which is not None:
            return np.arange(data.k) + (1 if which == "first" else 0)
    names = f" It names them {', '.join(network.classes[:5])}…." if network.classes else ""
    raise DeepSightError(
        f"Expected {data.k} outputs, one for each class of the data, received {reading.width}.{names} If the "
        "data's classes are among them, state all outputs by name and in order: --classes a,b,c"
    )


def stated_columns(stated: Sequence[str], width: int, data: Dataset) -> Ints:
    """The output of each class by the names that the user gave."""
    if len(stated) != width:
        raise UsageError(f"Expected {width} names in --classes, one for each output, received {len(stated)}.")
    found = columns_of_names(stated, data.classes)
    if found is None:
        raise UsageError(
            f"Expected each class of the data ({', '.join(data.classes[:8])}) once in --classes, received "
            f"{', '.join(stated[:8])}."
        )
    return found
