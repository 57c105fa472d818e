"""`deepsight.examine`: examines a model, or its predictions, in Python."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.statistics.score_direction import doubt_about_direction
from deepsight.interpret.examine import examine_inputs
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.model.foreign.foreign_model import Prepare
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, network_of_module, undisturbed
from deepsight.model.foreign.open import Opened, open_model
from deepsight.obtain import Obtained
from deepsight.workflows.examine.budget import JUDGED, TimeBudget
from deepsight.workflows.examine.examination import examine_fitted, with_names
from deepsight.workflows.examine.examination_inputs import inputs_of_predictions
from deepsight.workflows.examine.fit_model import fit_to_data


def examine(
    model: nn.Module | Predictions | str | Path | Callable[..., Any],
    data: Dataset,
    *,
    preprocess: Prepare | InputFormat | None = None,
    classes: Sequence[str] | None = None,
    train: Dataset | None = None,
    minutes: float = 5.0,
    seed: int = 0,
    log: Log = silent,
) -> Findings:
    """Find out what a model gets wrong on a data set, and why.

    The model's mode, hooks, weights, device and number format are left unchanged.

    Args:
        model: a torch or Keras model, a function from prepared images to class scores, a name as for
            `--model` (such as "onnx:model.onnx" or "timm:resnet18"), or predictions alone.
        data: the images and their given labels.
        preprocess: turns uint8 RGB images (b, h, w, 3) into the model's input: a function or an
            `InputFormat`. By default the documented one, or the best of the usual ones.
        classes: names of the outputs in their order, if that is not the order of the data's classes.
        train: the training images, to search for near-duplicates and to judge labels.
        minutes: roughly how long it may take; the samples are sized accordingly.
        seed: random seed.
        log: receives progress and warnings; `print` shows them.

    Returns:
        The evidence tables, and pictures by their path in a run folder.

    Raises:
        UsageError: `data` is not a `Dataset`, or `model` is not a model.
        DeepSightError: the model cannot be opened or does not fit the data; the message says why.

    Example:
        >>> from deepsight import Predictions, examine, load_dataset
        >>> import numpy as np
        >>> data = load_dataset("folder:photos").train
        >>> rng = np.random.default_rng(0)
        >>> logits = rng.normal(size=(len(data), data.k)).astype(np.float32)
        >>> features = rng.normal(size=(len(data), 8)).astype(np.float32)
        >>> findings = examine(Predictions(data.ids, data.labels, logits, features), data)
        >>> findings.evidence["recall"].n
        160
    """
    require_dataset(data)
    if isinstance(model, Predictions):
        return with_names(examine_answers(model, data, train, minutes=minutes, seed=seed, log=log), data)
    budget = TimeBudget(minutes)
    opened = opened_model(model)
    budget = budget.for_network(opened.network)
    with undisturbed(opened.network.module):
        given = preprocess if preprocess is not None else opened.preprocess
        fitted = fit_to_data(
            opened.network, data, preprocess=given, classes=classes, seed=seed,
            seconds=budget.audit_seconds,
        )  # fmt: skip
        for warning in fitted.warnings:
            log(warning)
        found = examine_fitted(fitted, data, train=train, budget=budget, seed=seed, log=log).findings
        return with_names(found, data)


def examine_answers(
    answers: Predictions, data: Dataset, train: Dataset | None, *, minutes: float, seed: int, log: Log
) -> Findings:
    """Examine predictions alone, with further judges if there are training images or no features.

    Raises:
        UsageError: their logits are losses or distances.
    """
    if doubt := doubt_about_direction(answers.logits, answers.labels):
        log(doubt)
    if train is None and answers.features.size:
        return examine_inputs(ExaminationInputs(test=data, predictions=answers, seed=seed))
    inputs, evidence = inputs_of_predictions(
        data, answers, train, seed, seconds=JUDGED * 60 * minutes, log=log
    )
    return Findings(evidence).merge(examine_inputs(inputs))


def require_dataset(data: Any) -> None:
    """Refuse anything but one part of a data set.

    Raises:
        UsageError: it is not a Dataset; the message says how to get one.
    """
    if isinstance(data, Dataset):
        return
    if isinstance(data, Obtained):
        raise UsageError("Expected one part of the data, received all of it. Pass one, such as data.test.")
    raise UsageError(
        f"Expected a deepsight.Dataset, received {type(data).__name__}. Load one with "
        "load_dataset('folder:photos').test, or make it: Dataset(images, labels, classes, ids, 'test'), with "
        "uint8 images (n, h, w, 3)."
    )


def opened_model(model: Any) -> Opened:
    """The model that the caller of `examine` passed, opened as a network.

    Raises:
        UsageError: it is not a model.
    """
    if isinstance(model, str | Path):
        return open_model(str(model))
    if isinstance(model, nn.Module) and type(model).__module__.split(".")[0] == "keras":
        from deepsight.model.foreign.keras_model import network_of_keras

        return Opened(network_of_keras(model))
    if isinstance(model, nn.Module):
        return Opened(network_of_module(model, type(model).__name__))
    if isinstance(model, type) or not callable(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise UsageError(
            "Expected a model (a torch or Keras module, a function of images, or a name such as "
            f"'onnx:model.onnx'), received {what}."
        )
    return Opened(Network(getattr(model, "__name__", "a function"), model))
