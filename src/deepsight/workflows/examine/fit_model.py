"""Somebody else's model, fitted to the data: preprocessing, reading of outputs, order of classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.interpret.audits.class_order import audit_class_order
from deepsight.interpret.audits.preprocessing import audit_preprocessing
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model.foreign.foreign_model import ForeignModel, Prepare, foreign_model
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import OutputReading, read_outputs
from deepsight.workflows.examine.class_columns import (
    columns_for,
    refuse_exchanged,
    refuse_if_order_explains_more,
)
from deepsight.workflows.examine.input_candidates import (
    answers,
    assumed_format,
    formats_to_try,
    raw_outputs,
)

AUDIT_IMAGES = 500


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
        refuse_if_order_explains_more(tried[next(iter(tried))], tried[audit.choice], sample)
    chosen = formats[audit.choice]
    reading = read_outputs(raw_outputs(network, chosen, sample))
    made = fitted(network, chosen, reading, columns, sample, classes)
    warnings = made.warnings + ((audit.warning,) if audit.warning else ())
    return replace(
        made, evidence=Evidence({"preprocessing_audit": audit.table}).merge(made.evidence), warnings=warnings
    )


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
