"""Predicts image files with the model of a run: label, confidence, evidence map, nearest training images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Pixels
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.evidence import maps_refusal
from deepsight.core.files.atomic import atomic_path, safe_name
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.images import overlay
from deepsight.images.captions import Caption, captioned_row, captioned_strip
from deepsight.interpret.attribution.cam import layer_for
from deepsight.interpret.attribution.stage_maps import class_maps, map_method
from deepsight.model.predict import Predictor
from deepsight.obtain.decoding.crop import Fit, Shape, Unreadable, decode_picture
from deepsight.obtain.decoding.high_bit_depth import tops_of_files
from deepsight.obtain.local_file import read_local_file
from deepsight.workflows.predict.calibrated import calibrated_probabilities, run_temperature
from deepsight.workflows.predict.nearest_training import Nearest, nearest_training
from deepsight.workflows.predict.unfamiliarity import UNFAMILIAR, known_familiarity
from deepsight.workflows.study_context import Context, opened_context
from deepsight.workflows.trained_model import open_trained

FOLDER = "predicted"  # in the run folder: the pictures of `predict`
SHOWN = 160  # pixels along each side of a picture
Rows = list[dict[str, Any]]


def predict(
    run_folder: str | Path, images: Sequence[str | Path], *, maps: str | Path | None = None,
    neighbours: int = 5, log: Log = silent,
) -> Rows:  # fmt: skip
    """Classify image files of any size and mode with the model of a run.

    Each image is first brought to the size at which the training images are stored, and resized from there
    as they were: a photograph must not be sharper than the images that the model was trained on.

    Args:
        run_folder: the folder of a run with a trained model.
        images: the files.
        maps: the folder for the pictures; by default `predicted` in the run folder.
        neighbours: number of nearest training images to find, at least 0.
        log: receives progress and warnings; `print` shows them.

    Returns:
        For each file: file, label, confidence (0 to 1); `classes`, the probability of each class; `map`, the
        picture of the evidence map, or None with the reason in `map_refused`; `nearest`, the training images
        as index, label, similarity (cosine, -1 to 1) and, if known, file; `nearest_picture`; `unfamiliarity`,
        the share of validation images that are nearer to the training images (0 to 1), and `unfamiliar`,
        whether it is at least 0.99: do not trust the label then. Probabilities are calibrated by the
        temperature that fits validation; a run without validation predictions gives the plain softmax, with
        a line in the log. What needs the training data is left out if the data is gone.

    Raises:
        DeepSightError: the run has no model, or a file is not a readable image.
        UsageError: there is no image, or the number of neighbours is negative.

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
    pixels = read_pictures(files, run)
    features = predictor.features(pixels, name="predict")
    temperature = run_temperature(run, predictor, log)
    rows = labelled(files, calibrated_probabilities(predictor.logits_of(features), temperature), classes)
    folder = Path(maps) if maps else run.file(FOLDER)
    add_maps(rows, predictor, pixels, classes, folder, refused=maps_refusal(run.evidence()))
    context = opened_context(run, log)
    found = nearest_training(context, predictor, features, count=neighbours) if neighbours else None
    if found is not None:
        add_nearest(rows, found, classes, folder)
    if found is not None or not neighbours:
        add_unfamiliarity(rows, context, predictor, features)
    return rows


def read_pictures(files: Sequence[Path], run: Run) -> Pixels:
    """The pixels of image files, (n, h, w, 3), brought into the shape in which a run stores its images.

    Raises:
        DeepSightError: one cannot be read.
    """
    record = run.read_json("data.json")
    shape, fit = tuple(record["image_shape"][:2]), record.get("fit", "crop")
    tops = tops_of_files(files, record.get("bit_depths", {}))
    return np.stack([read_picture(file, shape, fit, tops.get(file)) for file in files])


def read_picture(file: Path, shape: Shape, fit: Fit, top: float | None = None) -> Pixels:
    """The pixels of an image file, brought into the shape of the training images as those were.

    Args:
        file: the image.
        shape: height and width in pixels.
        fit: how it is brought into the shape.
        top: the value that becomes white in files with more than 8 bits per value; None finds it in the file.

    Raises:
        DeepSightError: it cannot be read.
    """
    try:
        return decode_picture(read_local_file(file), shape=shape, fit=fit, top=top).pixels
    except (OSError, Unreadable) as error:
        raise DeepSightError(f"Expected an image in {file}, but it cannot be read: {error}.") from error


def read_square(file: Path, side: int) -> Pixels:
    """The central square of an image file, for display."""
    return read_picture(file, (side, side), "crop")


def labelled(files: Sequence[Path], probabilities: Floats, classes: Sequence[str]) -> Rows:
    """Label and confidence of each file, and the probability of every class, the largest first."""
    rows = []
    for file, of_image in zip(files, probabilities, strict=True):
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
            captions = [Caption("image", "image")]
            captions += [
                Caption(f"for {name}", f"for class {classes.index(name) + 1} of {len(classes)}")
                for name in names
            ]
            note = f"{layer.name}, {map_method(predictor, layer)}"
            picture = captioned_row(drawn, captions, note, scale=overlay.scale_of(maps))
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
        captions = [Caption("image", "image")]
        for one in named:
            ending = f"({one['similarity']:.2f})"
            captions.append(Caption(f"{one['label']} {ending}", f"row {one['index']} {ending}"))
        picture = captioned_strip([query, *found.pixels[number]], captions, side=SHOWN)
        row |= {"nearest": named, "nearest_picture": saved(folder, number, row["file"], "nearest", picture)}


def add_unfamiliarity(
    rows: Rows, context: Context, predictor: Predictor, features: NDArray[np.floating]
) -> None:
    """Add the unfamiliarity of each image, if it is known."""
    familiar = known_familiarity(context, predictor)
    if familiar is None:
        return
    for row, far in zip(rows, familiar.unfamiliarity(features), strict=True):
        row |= {"unfamiliarity": float(far), "unfamiliar": bool(far >= UNFAMILIAR)}


def saved(folder: Path, number: int, file: str, what: str, picture: Pixels) -> str:
    """Write a picture and return its path; the number keeps files with the same name apart."""
    path = folder / f"{number:03d}-{safe_name(Path(file).stem)}-{what}.png"
    with atomic_path(path) as temporary:
        temporary.write_bytes(overlay.png_bytes(picture))
    return str(path)
