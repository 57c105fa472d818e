"""The output of each class of the data: by name, by position, or as the user states it."""

from collections.abc import Sequence

import numpy as np

from deepsight.core.array_types import Ints, Reals
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.interpret.audits.class_order import audit_class_order
from deepsight.interpret.audits.output_names import background_column, columns_of_names
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import OutputReading

SAME = 0.02  # accuracies that differ by less explain the same


def columns_for(
    network: Network,
    reading: OutputReading,
    logits: Reals,
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


def refuse_if_order_explains_more(reference: Ints, chosen: Ints, sample: Dataset) -> None:
    """Refuse where another order of the outputs makes the reference better than any preprocessing is.

    Swapped channels may look like exchanged classes where classes are colours; what explains more is taken,
    and the preprocessing where both explain the same.

    Raises:
        DeepSightError: classes are exchanged.
    """
    audit = audit_class_order(sample.labels, reference, sample.classes)
    reordered = np.argsort(audit.choice)[reference]
    gained = float((reordered == sample.labels).mean() - (chosen == sample.labels).mean())
    if audit.warning and gained > SAME:
        raise DeepSightError(audit.warning)
