"""What a run found about each image, as rows that every format can write."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.files.atomic import atomic_path
from deepsight.core.predictions import largest_probabilities
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.workflows.folds import images_of_predictions
from deepsight.workflows.study_context import Context, opened_context

Key = tuple[str, int]  # split and id


@dataclass(frozen=True)
class FoundImage:
    """What a run says of one image.

    Attributes:
        split: train, val or test.
        id: the row in the official order of its split.
        file: its name; a name made of split and id where images have none.
        given: its label in the data set.
        predicted: the class that the model predicts; None if the image was not predicted.
        confidence: the probability of the predicted class, 0 to 1; None if it was not predicted.
        suggested: the class that the label sources prefer.
        label_error: the probability that the given label is wrong, 0 to 1; None if it was not examined.
        flagged: whether a person should look at the label.
        cause: of the error, from the ledger; "" where there is none.
        near_duplicates: names of the flagged near-duplicates.
    """

    split: str
    id: int
    file: str
    given: str
    predicted: str | None = None
    confidence: float | None = None
    suggested: str | None = None
    label_error: float | None = None
    flagged: bool = False
    cause: str = ""
    near_duplicates: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether anything was found about it."""
        return bool(self.flagged or self.cause or self.near_duplicates)


@dataclass(frozen=True)
class ExaminedRun:
    """The examined images of a run.

    Attributes:
        classes: the names, in the order of the logits.
        images: one entry per image, in the order of split and id.
        parts: the data of each split.
    """

    classes: tuple[str, ...]
    images: tuple[FoundImage, ...]
    parts: Mapping[str, Dataset]

    def pixels(self, image: FoundImage) -> Pixels:
        """The stored picture, uint8 (h, w, 3)."""
        part = self.parts[image.split]
        (row,) = np.flatnonzero(part.ids == image.id)
        return np.asarray(part.pixels(np.array([row]))[0])

    def found(self) -> "ExaminedRun":
        """Only the images about which something was found."""
        return ExaminedRun(self.classes, tuple(image for image in self.images if image.found), self.parts)


def examined_images(run: str | Path, *, log: Log = silent) -> ExaminedRun:
    """Every image that the run examined.

    Raises:
        DeepSightError: the run has no findings yet; the message says how to make them.
    """
    opened = Run.open(Path(run)).require("evidence/ledger.parquet", stage="interpret")
    context = opened_context(opened, log)
    parts = splits_of(context)
    columns = [label_columns(opened.evidence()), error_columns(opened, parts)]
    twins = near_duplicates(opened.evidence(), parts)
    keys = sorted({key for column in columns for key in column} | set(twins), key=lambda k: (k[0], k[1]))
    there = {split: set(part.ids.tolist()) for split, part in parts.items()}
    images = tuple(
        found_image(key, parts[key[0]], columns, twins) for key in keys if key[1] in there.get(key[0], ())
    )
    return ExaminedRun(parts["test"].classes, images, parts)


def splits_of(context: Context) -> dict[str, Dataset]:
    """The splits with the images that were dropped from train, such as copies of test images.

    An examination has only its predicted images, under the name test.
    """
    examined = images_of_predictions(context)
    if not context.run.has("splits.npz"):
        return {"test": select_ids(examined, context.run.predictions("test").ids)}
    splits, train = context.splits.named(), context.obtained.train
    held = [splits["val"].ids] if "val" in splits and splits["val"].source == train.source else []
    rest = np.flatnonzero(~np.isin(train.ids, np.concatenate([*held, np.empty(0, np.int64)])))
    return {**splits, "train": train.select(rest), "test": examined}


def label_columns(evidence: Evidence) -> dict[Key, dict[str, object]]:
    """Suggested class, probability of a label error and flag of each image whose label was examined."""
    if "label_errors" not in evidence:
        return {}
    rows = evidence["label_errors"].frame.iter_rows(named=True)
    return {
        (row["split"], row["index"]): {
            "suggested": row["suggested"], "label_error": row["score"], "flagged": bool(row["flagged"])
        }
        for row in rows
    }  # fmt: skip


def error_columns(run: Run, parts: Mapping[str, Dataset]) -> dict[Key, dict[str, object]]:
    """Prediction and confidence of each test image, and the cause of its error."""
    predictions, classes = run.predictions("test"), parts["test"].classes
    causes = dict(run.evidence()["ledger"].frame.select("index", "cause").iter_rows())
    rows = zip(predictions.ids, predictions.predicted, largest_probabilities(predictions.logits), strict=True)
    return {
        ("test", int(image)): {
            "predicted": classes[predicted],
            "confidence": float(confidence),
            "cause": causes.get(int(image), ""),
        }
        for image, predicted, confidence in rows
    }


def near_duplicates(evidence: Evidence, parts: Mapping[str, Dataset]) -> dict[Key, tuple[str, ...]]:
    """The names of the flagged near-duplicates of each image."""
    found: dict[Key, list[str]] = defaultdict(list)
    if "duplicates" in evidence:
        frame = evidence["duplicates"].frame
        pairs = frame.filter("flagged") if "flagged" in frame.columns else frame
        for row in pairs.iter_rows(named=True):
            a, b = (row["split_a"], row["index_a"]), (row["split_b"], row["index_b"])
            for one, other in ((a, b), (b, a)):
                found[one].append(name_of_image(other, parts))
    return {key: tuple(names) for key, names in found.items()}


def name_of_image(key: Key, parts: Mapping[str, Dataset]) -> str:
    """The file of an image, or a name made of its split and id."""
    split, image = key
    files = getattr(parts.get(split), "files", None)
    if files is None:
        return f"{split}-{image:06d}.png"
    rows = np.flatnonzero(parts[split].ids == image)
    return str(files[rows[0]]) if len(rows) else f"{split}-{image:06d}.png"


def found_image(
    key: Key, part: Dataset, columns: list[dict[Key, dict[str, object]]], twins: Mapping[Key, tuple[str, ...]]
) -> FoundImage:
    """One image with everything that was found about it."""
    rows = np.flatnonzero(part.ids == key[1])
    given = part.classes[part.labels[rows[0]]] if len(rows) else ""
    said: dict[str, object] = {}
    for column in columns:
        said |= column.get(key, {})
    names = {key[0]: part}
    return FoundImage(
        key[0],
        key[1],
        name_of_image(key, names),
        given,
        near_duplicates=twins.get(key, ()),
        **said,  # type: ignore[arg-type]
    )


def write_pictures(folder: Path, examined: ExaminedRun) -> Iterator[tuple[FoundImage, Path]]:
    """Write each image as PNG, named after its split and id, and yield it with its file.

    Raises:
        DeepSightError: a picture cannot be encoded.
    """
    for image in examined.images:
        target = folder / f"{image.split}-{image.id:06d}.png"
        done, content = cv2.imencode(".png", cv2.cvtColor(examined.pixels(image), cv2.COLOR_RGB2BGR))
        if not done:
            raise DeepSightError(f"Expected to encode {image.file} as PNG, but it failed.")
        with atomic_path(target) as path:
            path.write_bytes(content.tobytes())
        yield image, target
