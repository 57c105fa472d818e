"""Hugging Face: a folder of images with metadata.jsonl, which `datasets` reads as an imagefolder."""

import json
from pathlib import Path
from typing import Any

from deepsight.core.files.atomic import write_text
from deepsight.workflows.exchange.found_images import ExaminedRun, FoundImage, write_pictures

METADATA = "metadata.jsonl"
UNKNOWN = -1.0  # stands for an unknown probability


def write_imagefolder(folder: Path, examined: ExaminedRun) -> list[Path]:
    """Write one folder per split with its images and metadata: `load_dataset("imagefolder", data_dir=…)`."""
    lines: dict[str, list[str]] = {}
    for image, path in write_pictures(folder / "all", examined):
        target = folder / image.split / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        said = json.dumps(metadata_of(image, target.name), ensure_ascii=False)
        lines.setdefault(image.split, []).append(said)
    (folder / "all").rmdir()
    for split, rows in lines.items():
        write_text(folder / split / METADATA, "\n".join(rows) + "\n")
    return [folder / split / METADATA for split in lines]


def metadata_of(image: FoundImage, name: str) -> dict[str, Any]:
    """One line: the file name of the image, its label, and what was found.

    The library requires the same type in every split, so unknown values are "" or -1 rather than null.
    """
    return {
        "file_name": name, "label": image.given, "index": image.id, "source_file": image.file,
        "predicted": image.predicted or "", "confidence": number_or_unknown(image.confidence),
        "suggested": image.suggested or "", "label_error": number_or_unknown(image.label_error),
        "flagged": image.flagged, "cause": image.cause, "near_duplicates": " ".join(image.near_duplicates),
    }  # fmt: skip


def number_or_unknown(value: float | None) -> float:
    """A probability, or -1 where the image was not examined."""
    return UNKNOWN if value is None else float(value)
