"""A model that somebody else made, examined: from the model itself, or from its predictions alone."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from deepsight.config import ExaminedSource, StudyConfig, as_path
from deepsight.core.dataset import Dataset
from deepsight.core.environment import environment, peak_rss_mb
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import Evidence
from deepsight.core.file_columns import file_names, with_files
from deepsight.core.open_model import AskedModel
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.recipe import Recipe
from deepsight.core.run import METRICS, Run
from deepsight.interpret.examine import examine as examine_subject
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.interpret.labels.sources import ExaminedSplit
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model import pretrained
from deepsight.model.foreign.foreign_model import Prepare, WatchedModel
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, network_of_module, undisturbed
from deepsight.model.foreign.open import Opened, open_model, split_model_name
from deepsight.model.foreign.penultimate import penultimate_features
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import BLOCK, blocks_of
from deepsight.obtain import load_dataset
from deepsight.report.html import render
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.label_conflicts import conflict_probability
from deepsight.workflows.fit_foreign import FittedModel, fit_to_data
from deepsight.workflows.metrics import score_metrics
from deepsight.workflows.study_plan import sample_sizes_of, seconds_of_a_mask
from deepsight.workflows.trained_model import open_trained

SIDE = 64  # of the images from which the default backbone makes features where none are given
TRAIN_ROWS = 3000  # training images whose labels are examined
DUPLICATE_IMAGES = 20_000  # images among which near-duplicates are looked for
PREDICTED = 0.25  # of the minutes go to predictions for the test images, at most
SAMPLED = 0.5  # of the minutes go to the checks that sample
TIMED = 32  # images by which the model is timed


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
    """What a model gets wrong on a data set, and why.

    The model is left as it was found: mode, hooks, weights, device and number format.

    Args:
        model: a torch or Keras model, a function from prepared images to class scores, what `--model` names
            (such as "onnx:model.onnx" or "timm:resnet18"), or predictions alone.
        data: the images and their given labels.
        preprocess: uint8 RGB images (b, h, w, 3) to what the model receives, as a function or an
            `InputFormat`. Without it the documented one or the best of the usual ones is used.
        classes: names of the outputs in their order, where that is not the order of the data's classes.
        train: the training images, to look for near-duplicates and to judge labels by.
        minutes: roughly how long it may take; the samples are sized by it.
        seed: random seed.
        log: receives what the work says; `print` shows it.

    Returns:
        The evidence tables, and pictures by their path in a run folder.

    Raises:
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
    if isinstance(model, Predictions):
        if not model.features.size:
            model = with_features(model, data, FrozenBackbone(pretrained.load_pretrained()))
        return with_names(examine_subject(ExaminationInputs(test=data, predictions=model, seed=seed)), data)
    opened = opened_model(model)
    with undisturbed(opened.network.module):
        given = preprocess if preprocess is not None else opened.preprocess
        fitted = fit_to_data(opened.network, data, preprocess=given, classes=classes, seed=seed)
        for warning in fitted.warnings:
            log(warning)
        found = examine_fitted(fitted, data, train=train, minutes=minutes, seed=seed, log=log).findings
        return with_names(found, data)


def with_names(found: Findings, data: Dataset) -> Findings:
    """The same findings with the file of each image that they name by its row."""
    return replace(found, evidence=with_files(found.evidence, file_names({"test": data})))


def opened_model(model: Any) -> Opened:
    """What the caller of `examine` gave, as a network.

    Raises:
        UsageError: it is nothing that answers.
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


@dataclass(frozen=True)
class ExaminedModel:
    """An examination: what was found, on which predictions, and how long each part took."""

    findings: Findings
    predictions: Predictions
    seconds: dict[str, float] = field(default_factory=dict)


def examine_fitted(
    fitted: FittedModel, data: Dataset, *, train: Dataset | None, minutes: float, seed: int, log: Log
) -> ExaminedModel:
    """Every examination that the model allows, in roughly these minutes."""
    model, began = fitted.model, time.perf_counter()
    per_image = seconds_an_image(model, data)
    test = affordable_test(data, PREDICTED * 60 * minutes / per_image, seed)
    if len(test) < len(data):
        log(f"Looks at {len(test):,} of {len(data):,} images, as many as {minutes:g} minutes allow.")
    predictions = predictions_of(model, test)
    predicted = time.perf_counter()
    sizes = sample_sizes_of(SAMPLED * 60 * minutes, 1 / per_image, seconds_of_a_mask(test))
    inputs, evidence = inputs_of(test, predictions, train, seed)
    found = examine_subject(inputs, model, capped(sizes, len(test)))
    seconds = {"predict": predicted - began, "interpret": time.perf_counter() - predicted}
    return ExaminedModel(Findings(fitted.evidence.merge(evidence)).merge(found), inputs.predictions, seconds)


def capped(sizes: SampleSizes, n: int) -> SampleSizes:
    """Sample sizes that n images can fill."""
    return SampleSizes(
        min(sizes.degradation_images, n), sizes.context_objects, min(sizes.faithfulness_images, n)
    )


def seconds_an_image(model: AskedModel, data: Dataset) -> float:
    """Seconds of one prediction, measured on a few images after a first one."""
    pixels = data.pixels(np.arange(min(TIMED, len(data))))
    model.logits(pixels[:1])
    began = time.perf_counter()
    model.logits(pixels)
    return (time.perf_counter() - began) / len(pixels)


def affordable_test(data: Dataset, most: float, seed: int) -> Dataset:
    """The data, or a sample of it in equal shares of the classes."""
    limit = max(int(most), 10 * data.k)
    if len(data) <= limit:
        return data
    return data.select(balanced_rows(data.labels, limit, np.random.default_rng(seed)))


def predictions_of(model: Any, data: Dataset) -> Predictions:
    """Logits and, where the inside can be watched, penultimate features."""
    logits, features = [], []
    for rows in blocks_of(len(data), BLOCK):
        pixels = data.pixels(rows)
        logits.append(model.logits(pixels))
        if isinstance(model, WatchedModel):
            features.append(penultimate_features(model, pixels))
    joined = np.concatenate(features) if features else np.zeros((len(data), 0), np.float32)
    return Predictions(data.ids, data.labels, np.concatenate(logits), joined)


def inputs_of(
    data: Dataset, predictions: Predictions, train: Dataset | None, seed: int
) -> tuple[ExaminationInputs, Evidence]:
    """The predictions with independent judges of the labels, and near-duplicates in the training images."""
    frozen = FrozenBackbone(pretrained.load_pretrained())
    ours = frozen_features(frozen, data)
    if not predictions.features.size:
        predictions = replace(predictions, features=ours)
    inputs = ExaminationInputs(data, predictions, more={"frozen": ours}, seed=seed)
    if train is None or train.images.shape[1:] != data.images.shape[1:]:
        return inputs, Evidence()
    rows = balanced_rows(train.labels, min(TRAIN_ROWS, len(train)), np.random.default_rng(seed))
    few = train.select(rows)
    split = ExaminedSplit(few.ids, few.labels, None, frozen_features(frozen, few), "frozen")
    inputs = replace(inputs, train=split, others={"train": train})
    if len(train) + len(data) > DUPLICATE_IMAGES:
        return inputs, Evidence()
    pairs = find_duplicates({"train": train, "test": data}, seed=seed)
    conflicts = conflict_probability(pairs.frame, data, {"train": train})
    return replace(inputs, conflicting_twins=conflicts), Evidence({"duplicates": pairs})


def frozen_features(frozen: FrozenBackbone, data: Dataset) -> Any:
    """Features (n, d) of the default backbone, whose ImageNet weights share no mistake with the model."""
    blocks = blocks_of(len(data), BLOCK)
    return np.concatenate([frozen.features(data.pixels(rows), Recipe(resolution=SIDE)) for rows in blocks])


def examine_model(
    study: StudyConfig,
    what: str,
    out: Path,
    *,
    weights: Path | None = None,
    preprocess: Path | None = None,
    classes: Sequence[str] | None = None,
    split: str = "test",
    log: Log = silent,
) -> dict[str, Any]:
    """Examine a model itself, and write a run folder with its report.

    Nothing is written before the model is opened and fits the data.

    Args:
        study: names the data, the minutes, the seed and the gate.
        what: what `--model` names.
        out: the run folder, which must not hold a finished examination.
        weights: the user's own checkpoint, for `timm:`.
        preprocess: a YAML file with the attributes of `InputFormat`.
        classes: names of the outputs in their order.
        split: "test" or "train", the part that is examined.
        log: receives what the work says; `print` shows it.

    Returns:
        The content of metrics.json.
    """
    if split not in ("train", "test"):
        raise UsageError(f"Expected --split test or train, received '{split}'.")
    if (out / METRICS).exists():
        raise DeepSightError(f"{out} holds a finished run, which is never replaced. Choose another --out.")
    scheme, rest = split_model_name(what)
    got = load_dataset(
        study.data, data_dir=as_path(study.data_dir), fit=study.fit, offline=study.offline, log=log
    )
    data, train = (got.test, got.train) if split == "test" else (got.train, None)
    if scheme == "run":
        return examine_run(study, Path(rest), data, train, out, got.record)
    from deepsight.model.foreign.input_format import read_input_format

    opened = open_model(what, weights, offline=study.offline)
    given = read_input_format(preprocess) if preprocess else opened.preprocess
    with undisturbed(opened.network.module):
        fitted = fit_to_data(opened.network, data, preprocess=given, classes=classes, seed=study.seed)
        for warning in fitted.warnings:
            log(warning)
        examined = examine_fitted(fitted, data, train=train, minutes=study.minutes, seed=study.seed, log=log)
    about = {
        "architecture": opened.network.name,
        "weights_source": str(weights or rest),
        "notice": " ".join(fitted.warnings),
        "outputs": fitted.model.reading.kind,
        "preprocessing": None if fitted.input_format is None else fitted.input_format.describe(),
        "classes": list(data.classes),
    }
    return written(study, examined, about, out, got.record, data)


def examine_run(
    study: StudyConfig, folder: Path, data: Dataset, train: Dataset | None, out: Path, record: Any
) -> dict[str, Any]:
    """Examine the model of a run of ours on other data with the same classes."""
    trained = open_trained(folder)
    if trained.classes != data.classes:
        raise DeepSightError(
            f"Expected data with the classes of the run in their order ({', '.join(trained.classes[:8])}), "
            f"received {', '.join(data.classes[:8])}."
        )
    predictor = trained.predictor
    sizes = sample_sizes_of(
        SAMPLED * 60 * study.minutes, 1 / seconds_an_image(predictor, data), seconds_of_a_mask(data)
    )
    began = time.perf_counter()
    inputs, evidence = inputs_of(data, predictor.predictions(data, name="test"), train, study.seed)
    found = Findings(evidence).merge(examine_subject(inputs, predictor, capped(sizes, len(data))))
    examined = ExaminedModel(found, inputs.predictions, {"interpret": time.perf_counter() - began})
    about = {**trained.run.read_json("model.json"), "weights_source": str(folder)}
    return written(study, examined, about, out, record, data)


def written(
    study: StudyConfig, examined: ExaminedModel, about: dict[str, Any], out: Path, record: Any, data: Dataset
) -> dict[str, Any]:
    """The run folder of an examination; returns the content of metrics.json."""
    mark = ExaminedSource(model=about["architecture"])
    run = Run.create(out, study.model_copy(update={"examined": mark}).stored())
    run.save_json("data.json", record)
    run.save_json("environment.json", environment())
    run.save_json("model.json", about)
    run.save_predictions("test", examined.predictions)
    run.save_pictures(examined.findings.pictures)
    run.save_evidence(with_names(examined.findings, data).evidence)
    metrics = external_metrics(examined.predictions, study, about["architecture"], record.get("source"))
    run.save_json(METRICS, {**metrics, "seconds": {k: round(v, 1) for k, v in examined.seconds.items()}})
    render(run)
    return run.metrics()


def with_features(predictions: Predictions, data: Dataset, frozen: FrozenBackbone) -> Predictions:
    """The same predictions with features of the frozen backbone."""
    blocks = blocks_of(len(data), BLOCK)
    features = [frozen.features(data.pixels(rows), Recipe(resolution=SIDE)) for rows in blocks]
    return replace(predictions, features=np.concatenate(features))


def external_metrics(p: Predictions, study: StudyConfig, model: str, source: Any) -> dict[str, Any]:
    """The headline numbers of a model that was made elsewhere."""
    return {
        **score_metrics(p, study),
        "backbone": model,
        "data_source": source,
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": {},
    }
