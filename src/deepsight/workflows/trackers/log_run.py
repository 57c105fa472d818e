"""Logs a run to a tracker by its name: `--log` and `deepsight log`."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.workflows.trackers.content import TrackedRun, tracked_run
from deepsight.workflows.trackers.mlflow_tracker import log_to_mlflow
from deepsight.workflows.trackers.tensorboard_tracker import log_to_tensorboard
from deepsight.workflows.trackers.wandb_tracker import log_to_wandb

# The function that logs to each tracker and returns where. Its second argument is what follows the colon in
# the tracker's name, "" for the default.
TRACKERS: dict[str, Callable[[TrackedRun, str], str]] = {
    "mlflow": log_to_mlflow,
    "tensorboard": log_to_tensorboard,
    "wandb": log_to_wandb,
}


def log_run(run: str | Path, tracker: str) -> str:
    """Log a finished run: parameters, metrics with epochs, evidence tables and report, gates as tags.

    Args:
        run: the run folder.
        tracker: "mlflow", "mlflow:URI", "tensorboard", "tensorboard:FOLDER", "wandb" or "wandb:PROJECT".

    Returns:
        Where the logged run can be found.

    Raises:
        UsageError: the tracker is unknown.
        DeepSightError: its package is not installed, or the run has no metrics yet.
    """
    name, place = require_tracker(tracker)
    return TRACKERS[name](tracked_run(run), place)


def require_tracker(tracker: str) -> tuple[str, str]:
    """The tracker's name and the place after the colon.

    Raises:
        UsageError: the tracker is unknown.
        DeepSightError: its package is not installed.
    """
    name, _, place = tracker.partition(":")
    if name not in TRACKERS:
        raise UsageError(f"Expected a tracker, received '{tracker}': {near_names(name, list(TRACKERS))}")
    if find_spec(name) is None:
        raise DeepSightError(
            f"Expected the package {name} for --log {name}, but it is not installed. "
            f"Install it: pip install 'deepsight-forensics[{name}]'"
        )
    return name, place
