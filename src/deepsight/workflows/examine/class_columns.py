"""The output of each class of the data: by name, by position, or as the user states it."""

from collections.abc import Sequence

import numpy as np

from deepsight.core.array_types import Ints, Reals
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.statistics.score_direction import score_direction
from deepsight.interpret.audits.class_order import audit_class_order
from deepsight.interpret.audits.output_names import background_column, columns_of_names
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import OutputReading

ALONE = ("one logit", "one probability")
SAME = 0.02  # accuracies that differ by less count as equal


def columns_for(
    network: Network,
    reading: OutputReading,
    logits: Reals,
    data: Dataset,
    sample: Dataset,
    stated: Sequence[str] | None,
) -> Ints:
    """The output of each class of the data, int64 (k,).

    Args:
        network: the opened model.
        reading: how its outputs are read.
        logits: (n, width), for the sample.
        data: names the classes.
        sample: the labelled images behind `logits`.
        stated: names of the outputs in order, as the user gives them, or None.

    Raises:
        UsageError: the stated names do not cover the classes of the data, or their number is not that of the
            outputs.
        DeepSightError: the outputs are not as many as the classes, and no names match them.
    """
    if stated is not None:
        return stated_columns(stated, reading.width, data)
    by_name = columns_of_names(network.classes, data.classes) if network.classes else None
    if by_name is not None:
        return by_name
    if reading.width == data.k:
        return np.arange(data.k)
    if reading.width == data.k + 1 and not network.classes:
        first, last = logits[:, 1:].argmax(axis=1), logits[:, :-1].argmax(axis=1)
        which = background_column(first, last, sample.labels)
        if which is not None:
            return np.arange(data.k) + (1 if which == "first" else 0)
    if reading.kind in ALONE:
        raise DeepSightError(
            f"Expected {data.k} outputs, one for each class of the data, received one number for each image, "
            "which tells two classes apart. Name data of the two classes that the model knows."
        )
    names = f" It names them {named_shortly(network.classes)}." if network.classes else ""
    raise DeepSightError(
        f"Expected {data.k} outputs, one for each class of the data, received {reading.width}.{names} If the "
        "data's classes are among them, state all outputs by name and in order: --classes a,b,c"
    )


def named_shortly(names: Sequence[str], most: int = 5) -> str:
    """The first names."""
    return ", ".join(names[:most]) + ("…" if len(names) > most else "")


def other_names(network: Network, data: Dataset, *, stated: bool) -> str:
    """A sentence where outputs and classes were matched by position although the model names others."""
    if stated or not network.classes or columns_of_names(network.classes, data.classes) is not None:
        return ""
    return (
        f"The model names its outputs {named_shortly(network.classes)}, the data its classes "
        f"{named_shortly(data.classes)}: they are matched by position. State the outputs in order if that is "
        "wrong: --classes a,b,c"
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


def refuse_if_order_explains_more(candidates: Sequence[Ints], chosen: Ints, sample: Dataset) -> None:
    """Refuse a model whose errors another order of outputs explains better than any preprocessing does.

    If classes are colours, swapped channels may look like exchanged classes. The better explanation counts;
    in case of a tie it is the preprocessing.

    Args:
        candidates: predicted classes (n,) with each preprocessing; among equals the first counts.
        chosen: predicted classes (n,) with the preprocessing in use.
        sample: the labelled images.

    Raises:
        DeepSightError: classes are exchanged.
    """
    best, warning = float((chosen == sample.labels).mean()), None
    for answers in candidates:
        audit = audit_class_order(sample.labels, answers, sample.classes)
        right = float((np.argsort(audit.choice)[answers] == sample.labels).mean())
        if audit.warning and right > best + SAME:
            best, warning = right, audit.warning
    if warning:
        raise DeepSightError(warning)


def refuse_if_smallest_is_best(scores: Sequence[Reals], sample: Dataset) -> None:
    """Refuse outputs of which the smallest names the class, as distances and losses do.

    Args:
        scores: (n, k) under each preprocessing; the one with the best answers counts.
        sample: the images, with their labels.

    Raises:
        DeepSightError: it is so.
    """
    directions = [score_direction(each, sample.labels) for each in scores]
    best = max(directions, key=lambda each: max(each.smallest, each.largest))
    if best.certain:
        raise DeepSightError(
            "Expected outputs of which the largest is that of the right class. Here it is the smallest, for "
            f"{best.smallest:.1%} of {best.n} images (the largest: {best.largest:.1%}), as with distances "
            "and losses. Let the model return their negative."
        )
