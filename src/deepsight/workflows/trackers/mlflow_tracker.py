"""MLflow: a run with parameters, metrics by step, tags and artefacts."""

import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepsight.core.errors import DeepSightError
from deepsight.workflows.trackers.content import TrackedRun

EXPERIMENT = "deepsight"  # unless MLFLOW_EXPERIMENT_NAME says otherwise
MOST_ENTRIES = 100  # parameters, tags or metrics per request
MOST_LETTERS = 5000  # of a value; MLflow accepts 6,000 for a parameter
WORDS = ((">=", "at least"), ("<=", "at most"), (">", "above"), ("<", "below"), ("%", "percent"))


def log_to_mlflow(run: TrackedRun, uri: str = "") -> str:
    """Log to the tracking server or store at this URI, or where MLFLOW_TRACKING_URI says.

    Raises:
        DeepSightError: the store cannot be used.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow reports its use unless told not to
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(tracking_uri=uri or None)
        experiment = experiment_of(client, os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT))
        made = client.create_run(experiment, run_name=run.name)
        fill_run(client, made.info.run_id, run)
        client.set_terminated(made.info.run_id)
    except MlflowException as error:
        raise DeepSightError(
            f"Expected to log to MLflow at {uri or 'its default store'}, but it refuses: {error}"
        ) from error
    return f"MLflow run {made.info.run_id} in experiment {experiment}: {made.info.artifact_uri}"


def experiment_of(client: Any, name: str) -> str:
    """The id of the experiment of this name, made if absent."""
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def fill_run(client: Any, run_id: str, run: TrackedRun) -> None:
    """Log parameters, tags, metrics, files and tables."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(1000 * time.time())
    parameters = [Param(key, text(value)) for key, value in named(run.parameters).items()]
    tags = [RunTag(key, text(value)) for key, value in named(run.tags).items()]
    for start in range(0, max(len(parameters), len(tags)), MOST_ENTRIES):
        here = slice(start, start + MOST_ENTRIES)
        client.log_batch(run_id, params=parameters[here], tags=tags[here])
    metrics = [Metric(key, value, now, 0) for key, value in named(run.metrics).items()]
    for step, epoch in enumerate(run.epochs, start=1):
        metrics += [Metric(f"epoch/{key}", value, now, step) for key, value in named(epoch).items()]
    for start in range(0, len(metrics), MOST_ENTRIES):
        client.log_batch(run_id, metrics=metrics[start : start + MOST_ENTRIES])
    for file in run.files:
        client.log_artifact(run_id, str(file))
    with tempfile.TemporaryDirectory() as folder:
        for name, csv in run.tables():
            (Path(folder) / f"{name}.csv").write_text(csv, encoding="utf-8")
        client.log_artifacts(run_id, folder, "evidence")


def named(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values under unique names that MLflow accepts: letters, digits, spaces and _ - . : / only."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = mlflow_name(key)
        while name in found:
            name += "_"
        found[name] = value
    return found


def mlflow_name(name: str) -> str:
    """The name with comparison signs spelt out, such as "gate.min recall at least 0.7"."""
    for sign, word in WORDS:
        name = name.replace(sign, word)
    return re.sub(r"[^\w \-./:]", "_", name, flags=re.ASCII)[:250]


def text(value: Any) -> str:
    """A value as text, cut to the length that MLflow accepts."""
    said = str(value)
    return said if len(said) <= MOST_LETTERS else f"{said[:MOST_LETTERS]}…"
