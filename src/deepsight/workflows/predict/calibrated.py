"""Calibrated probabilities: the softmax of logits divided by the temperature that fits a run's validation."""

from deepsight.core.array_types import Floats, Reals
from deepsight.core.predictions import softmax
from deepsight.core.progress import Log
from deepsight.core.run import Run
from deepsight.interpret.error_analysis.calibration import every_one_right, fit_temperature
from deepsight.model.predict import Predictor
from deepsight.workflows.predict.nearest_training import stored_predictions


def run_temperature(run: Run, predictor: Predictor, log: Log) -> float:
    """The divisor of the logits that calibrates them on validation, above 0.

    It is 1, with a line in the log that says why, if the run keeps no predictions for validation images, or
    if all of them are right: the confidences are then the model's plain softmax.

    Raises:
        DeepSightError: the predictions are damaged.
    """
    validation = stored_predictions(run, "val", predictor) if has_validation(run) else None
    if validation is None or not len(validation):
        return uncalibrated(f"the run in {run.path} keeps no predictions for validation images", log)
    if every_one_right(validation.logits, validation.labels):
        return uncalibrated(
            f"all {len(validation):,} validation images are right, so no temperature fits", log
        )
    return fit_temperature(validation.logits, validation.labels)


def uncalibrated(why: str, log: Log) -> float:
    """The temperature that changes nothing, with a line in the log that says why."""
    log(f"Confidences are the model's plain softmax, not calibrated: {why}.")
    return 1.0


def has_validation(run: Run) -> bool:
    """Whether the run keeps predictions for validation images."""
    return run.has("predictions/val.npz")


def calibrated_probabilities(logits: Reals, temperature: float) -> Floats:
    """The softmax of logits (n, k) over a temperature, (n, k); each row sums to 1."""
    return softmax(logits / temperature)
