"""The model of a run, applied to image files: label, confidence, evidence map, nearest training images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.config import study_of
from deepsight.core.array_types import Pixels
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import maps_refusal
from deepsight.core.files import atomic_path
from deepsight.core.predictions import softmax
from deepsight.core.progress import Log, silent
from deepsight.images import overlay
from deepsight.images.overlay import captioned_strip
from deepsight.interpret.attribution.cam import layer_for
from deepsight.interpret.attribution.error_maps import class_maps, map_method
from deepsight.model.predict import Predictor
from deepsight.obtain.crop import Unreadable, decode_square
from deepsight.workflows.context import Context
from deepsight.workflows.nearest import Nearest, nearest_training
from deepsight.workflows.trained_model import open_trained

FOLDER = "predicted"  # in the run folder: the pictures of `predict`
SHOWN = 160  # pixels a side of each picture
Rows = list[dict[str, Any]]


def predict_images(
    out: Path, images: Sequence[Path], *, maps: Path | None = None, neighbours: int = 5,
    log: Log = silent,
) -> Rows:  # fmt: skip
    """What the model of a run says about image files of any size and mode.

    Each image becomes the square that the training images became, at the size at which they are stored, and
    is resized from there as they were: a photograph must not be sharper than what the model has learnt from.

    Args:
        out: the run folder.
        images: the files.
        maps: where pictures are written; `predicted` in the run folder unless given.
        neighbours: how many of the nearest training images are looked for; 0 for none.
        log: receives what the work says; `print` shows it.

    Returns:
        For each file: file, label, confidence; `classes`, the probability of each class; `map`, the picture
        of the evidence, or None and why in `map_refused`; `nearest`, the training images as index, label,
        similarity (cosine, -1 to 1) and file where there is one; `nearest_picture`.

    Raises:
        DeepSightError: the run has no model, or a file is no readable image.
        UsageError: no image, or a negative number of neighbours.
    """
    if not images or neighbours < 0:
        raise UsageError(
            f"Expected images and at least 0 neighbours, received {len(images)} and {neighbours}."
        )
    run, predictor, classes = open_trained(out)
    side = min(run.read_json("data.json")["image_shape"][:2])
    pixels = np.stack([read_square(file, side) for file in images])
    features = predictor.features(pixels, name="predict")
    rows = labelled(images, predictor.logits_of(features), classes)
    folder = maps or run.file(FOLDER)
    add_maps(rows, predictor, pixels, classes, folder, refused=maps_refusal(run.evidence()))
    if neighbours:
        context = Context(run, study_of(run.study()), log)
        found = nearest_training(context, predictor, features, count=neighbours)
        if found is not None:
            files = context.obtained.files.get(context.splits.train.source, ())
            add_nearest(rows, found, classes, files, folder)
    return rows


def read_square(file: Path, side: int) -> Pixels:
    """The square of an image file.

    Raises:
        DeepSightError: it cannot be read.
    """
    try:
        return decode_square(file.read_bytes(), side=side)
    except (OSError, Unreadable) as error:
        raise DeepSightError(f"Expected an image in {file}, but it cannot be read: {error}.") from error


def labelled(files: Sequence[Path], logits: NDArray[np.floating], classes: Sequence[str]) -> Rows:
    """Label and confidence of each file, and the probability of every class, the largest first."""
    rows = []
    for file, of_image in zip(files, softmax(logits), strict=True):
        order = np.argsort(-of_image, kind="stable")
        ranked = {classes[c]: float(of_image[c]) for c in order}
        label = classes[order[0]]
        rows.append({"file": str(file), "label": label, "confidence": ranked[label], "classes": ranked})
    return rows


def add_maps(
    rows: Rows, predictor: Predictor, pixels: Pixels, classes: Sequence[str], folder: Path,
    *, refused: str | None,
) -> None:  # fmt: skip
    """Write the picture of each image with the evidence for its label and for the next class."""
    try:
        layer = layer_for(predictor.sides())
    except DeepSightError as error:
        refused = refused or str(error)
    for number, row in enumerate(rows):
        row |= {"map": None, "map_refused": refused}
        if refused is None:
            names = list(row["classes"])[:2]
            asked = np.array([[classes.index(name) for name in names]])
            maps = class_maps(predictor, layer, pixels[number : number + 1], asked)[0]
            drawn = overlay.overlay_row(read_square(Path(row["file"]), SHOWN), maps, side=SHOWN)
            words = ("image", *(f"for {name}" for name in names))
            note = f"{layer.name}, {map_method(predictor, layer)}"
            picture = overlay.captioned_row(drawn, words, note, scale=overlay.scale_of(maps))
            row["map"] = saved(folder, number, row["file"], "map", picture)


def add_nearest(
    rows: Rows, found: Nearest, classes: Sequence[str], files: Sequence[str], folder: Path
) -> None:
    """Name the nearest training images of each image, and write a picture of them beside it."""
    for number, row in enumerate(rows):
        named = [
            {"index": int(i), "label": classes[label], "similarity": round(float(cosine), 4)}
            | ({"file": files[i]} if files else {})
            for i, label, cosine in zip(*(part[number] for part in found[:3]), strict=True)
        ]
        query = read_square(Path(row["file"]), SHOWN)
        words = ["image", *(f"{one['label']} ({one['similarity']:.2f})" for one in named)]
        picture = captioned_strip([query, *found.pixels[number]], words, side=SHOWN)
        row |= {"nearest": named, "nearest_picture": saved(folder, number, row["file"], "nearest", picture)}


def saved(folder: Path, number: int, file: str, what: str, picture: Pixels) -> str:
    """Write a picture; the number tells files of one name apart."""
    path = folder / f"{number:03d}-{Path(file).stem}-{what}.png"
    with atomic_path(path) as temporary:
        temporary.write_bytes(overlay.png_bytes(picture))
    return str(path)
