"""The trained model of a run folder, ready to predict."""

from pathlib import Path
from typing import NamedTuple

from deepsight.core.errors import DeepSightError
from deepsight.core.run import Run
from deepsight.model.model_file import MODEL_FILES, load_model
from deepsight.model.predict import Predictor


class Trained(NamedTuple):
    """A run with its model and the class names, in the order of the logits."""

    run: Run
    predictor: Predictor
    classes: tuple[str, ...]


def open_trained(out: Path) -> Trained:
    """The run in this folder, and its model.

    Raises:
        DeepSightError: there is no run, or no model in it; the message says how to make one.
    """
    run = Run.open(out)
    if run.has("model.json") and not run.has("model.safetensors"):
        raise DeepSightError(
            f"Expected a trained model in {out}, but it holds the examination of an external model, which it "
            "does not store. Use a folder that deepsight run made."
        )
    about = run.require("model.safetensors", stage="train").read_json("model.json")
    predictor = load_trained(run)
    return Trained(run, predictor, tuple(about["classes"]))


def load_trained(run: Run) -> Predictor:
    """The model of a run, after its files were verified.

    Raises:
        DeepSightError: a file is missing or damaged, or names something that DeepSight does not know.
    """
    for name in MODEL_FILES:
        run.require(name, stage="train")
    with run.reading("model.json"):
        return load_model(run.path)
