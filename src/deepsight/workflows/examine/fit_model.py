"""Fits a foreign model to the data: preprocessing, reading of outputs, order of classes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Ints, Pixels, Reals
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.interpret.audits.class_order import audit_class_order
from deepsight.interpret.audits.preprocessing import audit_preprocessing
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model.foreign.foreign_model import ForeignModel, Prepare, foreign_model
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network
from deepsight.model.foreign.outputs import read_outputs
from deepsight.workflows.examine.budget import LEAST, audit_images
from deepsight.workflows.examine.class_columns import (
    columns_for,
    other_names,
    refuse_if_order_explains_more,
    refuse_if_smallest_is_best,
)
from deepsight.workflows.examine.doubtful_answers import (
    FEW,
    no_better_than_chance,
    unsteady,
    unusual_outputs,
)
from deepsight.workflows.examine.input_trials import (
    InputTrials,
    assumed_format,
    formats_to_try,
    with_fixed_batch,
)

COARSE = (
    "There was time for {n} images to find out how the model wants its images, so only the scaling and the "
    "order of the channels were tried. Allow more --minutes, or state all with --preprocess."
)


@dataclass(frozen=True)
class FittedModel:
    """A foreign model with its preprocessing, whose outputs are mapped to the data's classes.

    Attributes:
        model: the model.
        evidence: tables `preprocessing_audit` and `class_order_audit`, as far as they were made.
        warnings: sentences for the user.
        input_format: the preprocessing in use; None if it is the user's function.
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
    seconds: float = math.inf,
) -> FittedModel:
    """Find out what input the model expects and what its outputs mean, on at most 500 labelled images.

    Args:
        network: the opened model.
        data: labelled images.
        preprocess: the preprocessing, if it is known; it is then used unchanged.
        classes: names of the outputs in their order, as the user states them.
        seed: random seed of the sample.
        seconds: time for the audit; if 500 images would take longer, fewer are used.

    Raises:
        DeepSightError: the outputs are not class scores of the data's classes, or stand in another order.
    """
    preprocess = preprocess if preprocess is None else checked_preprocessing(preprocess)
    known: Prepare | InputFormat = preprocess or network.documented or assumed_format(network, data)
    network = with_fixed_batch(network, known, data)
    documented = network.documented is not None
    n = audit_images(network, known, data, seconds, documented=documented)
    trials = InputTrials(network, data.select(balanced_rows(data.labels, n, np.random.default_rng(seed))))
    outputs = trials.outputs(known)
    reading = read_outputs(outputs)
    columns = columns_for(network, reading, reading.logits(outputs).numpy(), data, trials.sample, classes)
    if preprocess is not None or not isinstance(known, InputFormat):
        refuse_if_smallest_is_best([trials.scores(known, columns)], trials.sample)
        return fitted_model(trials, known, columns, stated=classes is not None)
    finer = documented or n >= min(LEAST, len(data))
    return with_audit(trials, known, columns, documented=documented, stated=classes is not None, finer=finer)


def checked_preprocessing(given: Prepare | InputFormat) -> Prepare | InputFormat:
    """The user's function with its results as tensors; a format is returned as it is."""
    if isinstance(given, InputFormat):
        return given

    def prepare(pixels: Pixels) -> Tensor:
        found: object = given(pixels)
        if isinstance(found, np.ndarray):
            found = torch.from_numpy(found)
        if not isinstance(found, Tensor) or len(found) != len(pixels):
            shape = f" of shape {tuple(found.shape)}" if isinstance(found, Tensor) else ""
            raise DeepSightError(
                f"Expected the preprocessing to return a tensor with a row for each of {len(pixels)} images, "
                f"received {type(found).__name__}{shape}."
            )
        return found

    return prepare


def with_audit(
    trials: InputTrials, base: InputFormat, columns: Ints, *, documented: bool, stated: bool, finer: bool
) -> FittedModel:
    """The model with the preprocessing that the audit chooses; `finer` as in `formats_to_try`."""
    formats = formats_to_try(trials, base, columns, documented=documented, finer=finer)
    tried: dict[str, Reals] = {}
    for name, each in formats.items():
        try:
            tried[name] = trials.scores(each, columns)
        except DeepSightError:
            if not tried:
                raise  # the reference must work; an alternative may not suit the model
    sample = trials.sample
    refuse_if_smallest_is_best(list(tried.values()), sample)
    audit = audit_preprocessing(tried, sample.labels, documented=documented)
    if not stated:
        first = next(iter(tried))
        plain = [first] if documented else sorted(tried, key=lambda name: "BGR" in name)
        answers = {name: trials.answers(formats[name], columns) for name in tried}
        refuse_if_order_explains_more([answers[name] for name in plain], answers[audit.choice], sample)
    made = fitted_model(trials, formats[audit.choice], columns, stated=stated)
    evidence = Evidence({"preprocessing_audit": audit.table}).merge(made.evidence)
    warnings: tuple[str, ...] = (audit.warning,) if audit.warning else ()
    if not finer:
        warnings += (COARSE.format(n=len(sample)),)
    return replace(made, evidence=evidence, warnings=made.warnings + warnings)


def fitted_model(
    trials: InputTrials, prepare: Prepare | InputFormat, columns: Ints, *, stated: bool
) -> FittedModel:
    """The model with this preprocessing, and the audit of its class order.

    Raises:
        DeepSightError: classes are exchanged, and the user did not state the order.
    """
    network, sample = trials.network, trials.sample
    used = prepare if isinstance(prepare, InputFormat) else None
    nhwc = (network.layout if used is None else used.layout) == "nhwc"
    reading, answers = read_outputs(trials.outputs(prepare)), trials.answers(prepare, columns)
    model = foreign_model(network, prepare, reading, columns, nhwc)
    order = audit_class_order(sample.labels, answers, sample.classes)
    if order.warning and not stated:
        raise DeepSightError(order.warning)
    few = prepare(sample.pixels(np.arange(min(FEW, len(sample)))))
    doubts = (
        other_names(network, sample, stated=stated), unsteady(network, few), unusual_outputs(reading),
        no_better_than_chance(answers, sample),
    )  # fmt: skip
    warnings = tuple(w for w in (network.notice, order.warning, *doubts) if w)
    return FittedModel(model, Evidence({"class_order_audit": order.table}), warnings, used)
