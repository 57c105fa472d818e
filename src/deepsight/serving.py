"""The model of a run, applied to image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.context import verify_at
from deepsight.core.errors import DeepSightError
from deepsight.core.run import Run
from deepsight.model.fit import load_model
from deepsight.obtain.square import Unreadable, decode_square


def predict_images(out: Path, images: Sequence[Path]) -> list[dict[str, Any]]:
    """What the model of a run says about image files: file, label, confidence.

    Raises:
        DeepSightError: the run has no model yet, or a file is no readable image.
    """
    run = Run.open(out)
    if not run.has("model.json"):
        raise DeepSightError(f"Expected a trained model in {out}, found none. Make it: deepsight train {out}")
    about = run.read_json("model.json")
    side = about["preprocessing"]["resolution"]
    predictor = load_model(run.path, verify=verify_at(side))
    rows = []
    for file in images:
        try:
            pixels = decode_square(file.read_bytes(), side=side)
        except (OSError, Unreadable) as error:
            raise DeepSightError(f"Expected an image in {file}, but it cannot be read: {error}.") from error
        logits = predictor.logits(pixels[None])[0]
        chance = np.exp(logits - logits.max())
        best = int(logits.argmax())
        label, confidence = about["classes"][best], float(chance[best] / chance.sum())
        rows.append({"file": str(file), "label": label, "confidence": confidence})
    return rows
