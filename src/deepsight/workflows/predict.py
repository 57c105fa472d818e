"""The model of a run, applied to image files: label, confidence, evidence map, nearest training images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import maps_refusal
from deepsight.core.files.atomic import atomic_path, safe_name
from deepsight.core.files.lock import locked
from deepsight.core.predictions import Predictions, softmax
from deepsight.core.progress import Log, Progress, silent
from deepsight.core.run import Run
from deepsight.images import overlay
from deepsight.images.overlay import captioned_strip
from deepsight.interpret.attribution.cam import layer_for
from deepsight.interpret.attribution.stage_maps import class_maps, map_method
from deepsight.model.predict import Predictor, blocks_of
from deepsight.obtain.crop import Fit, Shape, Unreadable, decode_picture
from deepsight.obtain.local_file import read_local_file
from deepsight.workflows.context import Context, opened_context
from deepsight.workflows.trained_model import open_trained

FOLDER = "predicted"  # in the run folder: the pictures of `predict`
SHOWN = 160  # pixels along each side of a picture
TRAIN = "predictions/train.npz"
MOST_TRAINING = 5_000  # training images that are compared: half a minute on two cores at 128 pixels
BLOCK = 256  # images per pass
Rows = list[dict[str, Any]]


def predict(
    run_folder: str | Path, images: Sequence[str | Path], *, maps: str | Path | None = None,
    neighbours: int = 5, log: Log = silent,
) -> Rows:  # fmt: skip
    """Classify image files of any size and mode with the model of a run.

    Each image becomes what the training images became, at the size at which they are stored, and is resized
    from there as they were: a photograph must not be sharper than what the model has learnt from.

    Args:
        run_folder: the folder of a run with a trained model.
        images: the files.
        maps: the folder for the pictures; by default `predicted` in the run folder.
        neighbours: number of nearest training images to find, at least 0.
        log: receives what the work says; `print` shows it.

    Returns:
        For each file: file, label, confidence (0 to 1); `classes`, the probability of each class; `map`, the
        picture of the evidence, or None and the reason in `map_refused`; `nearest`, the training images as
        index, label, similarity (cosine, -1 to 1) and file where there is one; `nearest_picture`.

    Raises:
        DeepSightError: the run has no model, or a file is not a readable image.
        UsageError: no image, or a negative number of neighbours.

    Example:
        >>> from deepsight import predict
        >>> rows = predict("runs/first", ["photo.jpg"], neighbours=3)
        >>> rows[0]["file"], len(rows[0]["classes"]), len(rows[0]["nearest"])
        ('photo.jpg', 10, 3)
    """
    files = [Path(image) for image in images]
    if not files or neighbours < 0:
        raise UsageError(
            f"Expected images and at least 0 neighbours, received {len(files)} and {neighbours}."
        )
    run, predictor, classes = open_trained(Path(run_folder))
    record = run.read_json("data.json")
    shape, fit = tuple(record["image_shape"][:2]), record.get("fit", "crop")
    pixels = np.stack([read_picture(file, shape, fit) for file in files])
    features = predictor.features(pixels, name="predict")
    rows = labelled(files, predictor.logits_of(features), classes)
    folder = Path(maps) if maps else run.file(FOLDER)
    add_maps(rows, predictor, pixels, classes, folder, refused=maps_refusal(run.evidence()))
    if neighbours:
        context = opened_context(run, log)
        found = nearest_training(context, predictor, features, count=neighbours)
        if found is not None:
            add_nearest(rows, found, classes, folder)
    return rows


class Nearest(NamedTuple):
    """The c nearest training images of each of n images, nearest first.

    Attributes:
        ids: int64 (n, c), rows in the official order of train.
        labels: int64 (n, c), the given labels.
        cosine: float64 (n, c), of the pooled features, -1 to 1.
        pixels: uint8 (n, c, h, w, 3).
        files: (n, c), the file of each; None where images have no names.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    cosine: NDArray[np.float64]
    pixels: NDArray[np.uint8]
    files: NDArray[np.object_] | None = None


def nearest_training(
    context: Context, predictor: Predictor, features: NDArray[np.floating], *, count: int
) -> Nearest | None:
    """The `count` training images whose features have the largest cosine with these (n, d).

    The features are those of the trained model, before its head: what is near is near in this model's eyes.
    Training images are looked at once, at most 5,000 of them, evenly spread; the run folder keeps the result.
    None, and a line that says why, where the data is no longer there.
    """
    try:
        train = context.splits.train
    except DeepSightError as error:
        context.log(f"The nearest training images are not shown: {error}")
        return None
    known = training_predictions(context, predictor, train)
    cosine = unit(features) @ unit(known.features).T
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
    ids = known.ids[best]
    near = [select_ids(train, row) for row in ids]
    files = None if train.files is None else np.stack([data.files for data in near if data.files is not None])
    cosines = np.take_along_axis(cosine, best, axis=1)
    return Nearest(ids, known.labels[best], cosines, np.stack([data.pixels() for data in near]), files)


def training_predictions(context: Context, predictor: Predictor, train: Dataset) -> Predictions:
    """What the model says about training images, from the run folder or made now."""
    run = context.run
    if run.has(TRAIN) and not run.holds(TRAIN):
        context.log(f"{TRAIN} is not what the run wrote, so it is made again.")
    if not run.has(TRAIN) or not run.holds(TRAIN):
        rows = np.unique(np.linspace(0, len(train) - 1, MOST_TRAINING).astype(np.int64))
        context.log(f"Looking at {len(rows):,} training images, once; {run.file(TRAIN)} keeps the result.")
        known = in_blocks(predictor, train.select(rows), context.log).as_stored()
        keep_training_predictions(run, known, context.log)
        return known
    return run.predictions("train")


def keep_training_predictions(run: Run, known: Predictions, log: Log) -> None:
    """Store what the model says of training images, unless another process works in the run folder."""
    try:
        with locked(run.path):
            run.save_predictions("train", known)
            run.commit("predict")
    except DeepSightError as error:
        log(f"It is not kept: {error}")


def in_blocks(predictor: Predictor, data: Dataset, log: Log) -> Predictions:
    """What the model says about a data set, telling how far it has come."""
    pace, made = Progress("training images", len(data), log), []
    for rows in blocks_of(len(data), BLOCK):
        made.append(predictor.features(data.pixels(rows), name="train"))
        pace.done(rows.stop)
    features = np.concatenate(made)
    return Predictions(data.ids, data.labels, predictor.logits_of(features), features)


def unit(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows of length 1, in float64."""
    rows = features.astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def read_picture(file: Path, shape: Shape, fit: Fit) -> Pixels:
    """The pixels of an image file as the training images were brought into their shape.

    Raises:
        DeepSightError: it cannot be read.
    """
    try:
        return decode_picture(read_local_file(file), shape=shape, fit=fit).pixels
    except (OSError, Unreadable) as error:
        raise DeepSightError(f"Expected an image in {file}, but it cannot be read: {error}.") from error


def read_square(file: Path, side: int) -> Pixels:
    """The centred square of an image file, to be shown."""
    return read_picture(file, (side, side), "crop")


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


def add_nearest(rows: Rows, found: Nearest, classes: Sequence[str], folder: Path) -> None:
    """Name the nearest training images of each image, and write a picture of them beside it."""
    for number, row in enumerate(rows):
        named = [
            {"index": int(i), "label": classes[label], "similarity": round(float(cosine), 4)}
            | ({} if found.files is None else {"file": str(found.files[number, place])})
            for place, (i, label, cosine) in enumerate(zip(*(of[number] for of in found[:3]), strict=True))
        ]
        query = read_square(Path(row["file"]), SHOWN)
        words = ["image", *(f"{one['label']} ({one['similarity']:.2f})" for one in named)]
        picture = captioned_strip([query, *found.pixels[number]], words, side=SHOWN)
        row |= {"nearest": named, "nearest_picture": saved(folder, number, row["file"], "nearest", picture)}


def saved(folder: Path, number: int, file: str, what: str, picture: Pixels) -> str:
    """Write a picture; the number tells files of one name apart."""
    path = folder / f"{number:03d}-{safe_name(Path(file).stem)}-{what}.png"
    with atomic_path(path) as temporary:
        temporary.write_bytes(overlay.png_bytes(picture))
    return str(path)
