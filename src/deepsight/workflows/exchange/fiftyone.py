"""FiftyOne: an image classification data set in its JSON format, with causes and scores as attributes."""

from pathlib import Path
from typing import Any

from deepsight.core.files.atomic import write_json
from deepsight.workflows.exchange.found_images import ExaminedRun, FoundImage, write_pictures

LABELS = "labels.json"


def write_fiftyone(folder: Path, examined: ExaminedRun) -> list[Path]:
    """Write `data/` and `labels.json`, which FiftyOne reads as `FiftyOneImageClassificationDataset`.

    The label is the given one; the findings are its attributes.
    """
    labels = {
        path.stem: label_of(image, examined) for image, path in write_pictures(folder / "data", examined)
    }
    write_json(folder / LABELS, {"classes": list(examined.classes), "labels": labels})
    return [folder / LABELS]


def label_of(image: FoundImage, examined: ExaminedRun) -> dict[str, Any]:
    """The label of one image, with the findings as attributes."""
    said = {
        "split": image.split, "index": image.id, "file": image.file, "predicted": image.predicted,
        "confidence": image.confidence, "suggested": image.suggested, "label_error": image.label_error,
        "flagged": image.flagged, "cause": image.cause, "near_duplicates": list(image.near_duplicates),
    }  # fmt: skip
    return {"label": examined.classes.index(image.given), "confidence": None, "attributes": said}
