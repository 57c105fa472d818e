"""Exports the model of a run for deployment, and checks the file against the model's own logits."""

from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.files.atomic import atomic_path, remove_leftovers_of
from deepsight.core.progress import Log, silent
from deepsight.model import export
from deepsight.model.predict import Predictor
from deepsight.workflows.study_context import opened_context
from deepsight.workflows.trained_model import open_trained

TOLERANCE = 1e-4  # of logits up to LARGE in size; for larger ones it grows in proportion
LARGE = 10.0  # float32 keeps seven digits, and heads fitted to few images reach logits of a hundred
FITTED = {
    "crop": "the largest central square of the image, resized",
    "pad": "the whole image with black bars that make it square, resized",
    "squash": "the whole image, resized to a square",
    "whole": "the whole image, resized to a square",
}
CHECKED = 64  # test images


def export_model(
    run_folder: str | Path, *, format: export.Format = "onnx", file: str | Path | None = None,
    log: Log = silent,
) -> dict[str, Any]:  # fmt: skip
    """Write the model of a run as ONNX or TorchScript, and check the file on real test images.

    Args:
        run_folder: the folder of a run with a trained model.
        format: "onnx" or "torchscript".
        file: where to write; by default `model.onnx` or `model.pt` in the run folder.
        log: receives progress and warnings; `print` shows them.

    Returns:
        file, format, the description that the file itself holds, images (the number checked) and
        largest_difference (of logits).

    Raises:
        DeepSightError: there is no model, a package is missing, or a logit differs by more than 1e-4 (or 1e-5
            of the largest logit, if that is more); then no file is left.

    Example:
        >>> from deepsight import export_model
        >>> made = export_model("runs/first", format="torchscript", file="model.pt")
        >>> made["input"]["shape"], made["largest_difference"] <= 1e-4
        (['n', 3, 64, 64], True)
    """
    export.require_packages(format)
    run, predictor, classes = open_trained(Path(run_folder))
    described = export.description(predictor, classes)
    fit = run.read_json("data.json").get("fit", "crop") if run.has("data.json") else "crop"
    described["input"]["meaning"] = f"RGB, 0 to 255, not normalised; {FITTED[fit]}"
    test = opened_context(run, log).splits.test
    target = Path(file) if file else run.file(f"model{export.SUFFIXES[format]}")
    remove_leftovers_of(target)
    with atomic_path(target) as path:
        export.write_exported(path, predictor, format, described)
        images, difference = checked(export.open_exported(path, format), predictor, test)
    return {
        "file": str(target), "format": format, **described,
        "images": images, "largest_difference": difference,
    }  # fmt: skip


def require_format(format: str) -> export.Format:
    """The format of this name.

    Raises:
        UsageError: the format is unknown; the message suggests a similar name.
    """
    known = list(get_args(export.Format))
    if format not in known:
        raise UsageError(
            f"Expected --format {' or '.join(known)}, received '{format}'; {near_names(format, known)}"
        )
    return cast(export.Format, format)


def checked(answer: export.Answer, predictor: Predictor, test: Dataset) -> tuple[int, float]:
    """The number of images compared, and the largest difference from the model's own logits.

    The first image is also predicted alone, which reveals a file with a fixed batch size.

    Raises:
        DeepSightError: the difference is above the tolerance.
    """
    rows = np.unique(np.linspace(0, len(test) - 1, CHECKED).astype(np.int64))
    pixels = test.pixels(rows)
    own, images = (
        predictor.logits(pixels, name="export"),
        predictor.preprocessing.resized(pixels).contiguous().numpy(),
    )
    together, alone = answer(images), answer(images[:1])
    difference = float(max(np.abs(together - own).max(), np.abs(alone - own[:1]).max()))
    allowed = TOLERANCE * max(1.0, float(np.abs(own).max()) / LARGE)
    if not difference <= allowed:
        raise DeepSightError(
            f"Expected logits within {allowed:.2g} of the model's own on {len(rows)} test images, received a "
            f"difference of {difference:.2g}. No file was left. Try the other --format."
        )
    return len(rows), difference
