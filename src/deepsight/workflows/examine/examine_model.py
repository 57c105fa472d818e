"""`deepsight examine --model`: a model that somebody else made, examined into a run folder."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.config import ExaminedSource, StudyConfig, as_path
from deepsight.core.dataset import Dataset, Images
from deepsight.core.environment import environment, peak_rss_mb
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import digest_of
from deepsight.core.files.lock import locked
from deepsight.core.image_table import image_table, split_list
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.run import METRICS, REPORT, Run
from deepsight.interpret.examine import examine as examine_inputs
from deepsight.interpret.findings import Findings
from deepsight.model.foreign.input_format import InputFormat, read_input_format
from deepsight.model.foreign.network import undisturbed
from deepsight.model.foreign.open import open_model, split_model_name
from deepsight.obtain import Obtained, load_dataset
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.splits import split_digest
from deepsight.report.html import render
from deepsight.workflows.examination_sizes import seconds_of_a_mask
from deepsight.workflows.examine.budget import AUDITED, LEVERS, REFERENCE, Pace, affordable_sizes
from deepsight.workflows.examine.examination import (
    ExaminedModel,
    SpreadPasses,
    examine_fitted,
    passed_predictions,
    seconds_an_image,
)
from deepsight.workflows.examine.examination_inputs import inputs_of
from deepsight.workflows.examine.examine import with_names
from deepsight.workflows.examine.fit_model import fit_to_data
from deepsight.workflows.examine.levers import with_levers
from deepsight.workflows.examine.named_model import NamedModel
from deepsight.workflows.group_scores import Suggestion, with_suggested_groups
from deepsight.workflows.metrics import score_metrics
from deepsight.workflows.passes.block_passes import LOCAL, require_engine
from deepsight.workflows.passes.image_passes import ImagePasses
from deepsight.workflows.passes.work import Arrays, Work, kept_folder
from deepsight.workflows.trained_model import open_trained


def examine_model(
    study: StudyConfig,
    what: str,
    out: Path,
    *,
    weights: Path | None = None,
    preprocess: Path | None = None,
    classes: Sequence[str] | None = None,
    split: str = "test",
    engine: str = LOCAL,
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
        engine: where the images are predicted: "local", "ray" or "ray://HOST:PORT".
        log: receives what the work says; `print` shows it.

    Returns:
        The content of metrics.json.
    """
    require_engine(engine)
    if split not in ("train", "test"):
        raise UsageError(f"Expected --split test or train, received '{split}'.")
    if (out / METRICS).exists():
        raise DeepSightError(f"{out} holds a finished run, which is never replaced. Choose another --out.")
    scheme, rest = split_model_name(what)
    got = load_dataset(
        study.data, data_dir=as_path(study.data_dir), fit=study.fit, offline=study.offline, log=log
    )
    data, train = got.test if split == "test" else got.train, got.train
    if scheme == "run":
        return examine_run(study, Path(rest), data, train, out, got, engine, log)
    opened = open_model(what, weights, offline=study.offline)
    given = read_input_format(preprocess) if preprocess else opened.preprocess
    with undisturbed(opened.network.module):
        fitted = fit_to_data(
            opened.network, data, preprocess=given, classes=classes, seed=study.seed,
            seconds=AUDITED * 60 * study.minutes,
        )  # fmt: skip
        for warning in fitted.warnings:
            log(warning)
        kept = pass_folder(what, weights, fitted.input_format, got.record, split)
        named = NamedModel.of(fitted, what, weights, offline=study.offline)
        passes = spread_passes(data, got.record, engine, log)
        examined = examine_fitted(
            fitted, data, train=train, minutes=study.minutes, seed=study.seed, log=log, kept=kept,
            spread=None if passes is None else SpreadPasses(passes, named.open),
            suggest=partial(suggestion_of, study, got, log),
        )  # fmt: skip
    about = {
        "architecture": opened.network.name,
        "weights_source": str(weights or rest),
        "notice": opened.network.notice,
        "outputs": fitted.model.reading.kind,
        "preprocessing": None if fitted.input_format is None else fitted.input_format.describe(),
        "classes": list(data.classes),
    }
    return written(study, examined, about, out, got)


def suggestion_of(study: StudyConfig, got: Obtained, log: Log, data: Dataset, p: Predictions) -> Suggestion:
    """What the score becomes under groups that names, times or pictures suggest."""
    learnt = [] if data.source == got.train.source else [got.train]
    return with_suggested_groups(data, learnt, p, taken=got.taken, seed=study.seed, log=log)


def spread_passes(data: Dataset, record: Mapping[str, Any], engine: str, log: Log) -> ImagePasses | None:
    """How the workers of an engine measure images and look at them; None where this process does."""
    if engine == LOCAL:
        return None
    return ImagePasses(engine, kept_folder("examined", data_marks(record), rows_mark(data)), log)


def rows_mark(data: Dataset) -> str:
    """What tells these rows of a data set from others."""
    return f"{data.source} {digest_of(np.ascontiguousarray(data.ids).tobytes())}"


def data_marks(record: Mapping[str, Any]) -> list[Any]:
    """What changes when a data set does, by its record."""
    return [record.get(name) for name in ("data", "digests", "sha256_of_pixels", "image_shape")]


def pass_folder(
    what: str, weights: Path | None, how: InputFormat | None, record: Mapping[str, Any], split: str
) -> Path | None:
    """Where the finished blocks of a pass are kept: named after the model, its preprocessing and the data.

    None where no file says whether the model is still the one of a stopped pass, such as for the user's code.
    """
    place = Path(what.partition(":")[2])
    files = [path for path in (weights, place) if path is not None and path.is_file()]
    if not files:
        return None
    marks = [file_stamp(path) for path in files]
    described = None if how is None else how.describe()
    return kept_folder(what, str(weights), marks, described, data_marks(record), split)


def examine_run(
    study: StudyConfig, folder: Path, data: Dataset, train: Dataset, out: Path, got: Obtained,
    engine: str, log: Log,
) -> dict[str, Any]:  # fmt: skip
    """Examine the model of a run of ours on other data with the same classes."""
    trained = open_trained(folder)
    if trained.classes != data.classes:
        raise DeepSightError(
            f"Expected data with the classes of the run in their order ({', '.join(trained.classes[:8])}), "
            f"received {', '.join(data.classes[:8])}."
        )
    predictor = trained.predictor
    image_seconds, mask_seconds = seconds_an_image(predictor, data), seconds_of_a_mask(data)
    sizes = affordable_sizes(60 * study.minutes, Pace(image_seconds, mask_seconds, True), len(data))
    began = time.perf_counter()
    inputs, evidence = inputs_of(
        data, run_predictions(folder, data, got.record, engine, log), train, study.seed,
        seconds=REFERENCE * 60 * study.minutes, passes=spread_passes(data, got.record, engine, log), log=log,
    )  # fmt: skip
    found = with_levers(
        examine_inputs(inputs, predictor, sizes), inputs, predictor,
        partial(predictor.predictions, name="train"),
        seconds=LEVERS * 60 * study.minutes, image_seconds=image_seconds, mask_seconds=mask_seconds, log=log,
    )  # fmt: skip
    found = Findings(evidence).merge(found)
    examined = ExaminedModel(found, data, inputs.predictions, {"interpret": time.perf_counter() - began})
    about = {**trained.run.read_json("model.json"), "weights_source": str(folder)}
    return written(study, examined, about, out, got)


def run_predictions(folder: Path, data: Dataset, record: Any, engine: str, log: Log) -> Predictions:
    """What the model of a run says about data; a pass that is stopped goes on."""
    kept = pass_folder(f"run:{folder / 'model.safetensors'}", None, None, record, rows_mark(data))
    work = partial(open_run_answers, folder.absolute(), data.images)
    return passed_predictions(work, data, engine=engine, kept=kept, log=log)


def open_run_answers(folder: Path, images: Images) -> Work:
    """Logits and features of some images, by the model of a run that is opened here."""
    predictor = open_trained(folder).predictor

    def answers(rows: slice) -> Arrays:
        features = predictor.features(np.asarray(images[rows], dtype=np.uint8), name="test")
        return {"logits": predictor.logits_of(features), "features": features}

    return answers


def written(
    study: StudyConfig, examined: ExaminedModel, about: dict[str, Any], out: Path, got: Obtained
) -> dict[str, Any]:
    """The run folder of an examination; returns the content of metrics.json."""
    data, images = examined.data, image_table(got.named(), got.digests)
    looked_at = {"n": len(data), "digest": split_digest(data, got.digests.get(data.source))}
    mark = ExaminedSource(model=about["architecture"])
    Run(out).require_usable()
    with locked(out):
        run = Run.create(out, study.model_copy(update={"examined": mark}).stored())
        run.save_json("data.json", {**got.record, "examined": looked_at})
        run.save_images(images)
        run.save_split_list(split_list(images, got.named()))
        run.save_json("environment.json", environment())
        run.save_json("model.json", about)
        run.save_predictions("test", examined.predictions)
        run.save_pictures(examined.findings.pictures)
        run.save_evidence(with_names(examined.findings, data).evidence)
        metrics = external_metrics(examined, study, about["architecture"], got.record.get("source"))
        seconds = {name: round(value, 1) for name, value in examined.seconds.items()}
        run.save_json(METRICS, {**metrics, "seconds": seconds})
        render(run)
        run.commit("examine", also=[REPORT])
        return run.metrics()


def external_metrics(examined: ExaminedModel, study: StudyConfig, model: str, source: Any) -> dict[str, Any]:
    """The headline numbers of a model that was made elsewhere; clustered where the images have groups."""
    return {
        **score_metrics(examined.predictions, study, examined.data.groups),
        "backbone": model,
        "data_source": source,
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": {},
    }
