"""Weights & Biases: a run with configuration, history, summary, tags and an artefact."""

import os
from typing import Any

from deepsight.workflows.trackers.content import TrackedRun

PROJECT = "deepsight"
MOST_TAG = 64  # characters of a tag


def log_to_wandb(run: TrackedRun, project: str = "") -> str:
    """Log to this project, offline unless WANDB_MODE is "online"; returns where the run is."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    mode: Any = os.environ.get("WANDB_MODE", "offline")
    tags = [f"{name.removeprefix('gate.')} {said}"[:MOST_TAG] for name, said in run.tags.items()]
    with wandb.init(
        project=project or PROJECT, name=run.name, config=dict(run.parameters), tags=tags,
        dir=str(run.path), mode=mode, settings=wandb.Settings(silent=True, console="off"),
    ) as made:  # fmt: skip
        log_everything(wandb, made, run)
        place = str(made.dir).removesuffix("/files")
    wandb.teardown()  # waits until the service process has written the files
    return f"wandb sync {place}" if mode == "offline" else f"W&B project {project or PROJECT}: {place}"


def log_everything(wandb: Any, made: Any, run: TrackedRun) -> None:
    """Log epochs, summary, files and tables."""
    for epoch in run.epochs:
        made.log({f"epoch/{name}": value for name, value in epoch.items()})
    made.summary.update({**run.metrics, **run.tags})
    artefact = wandb.Artifact(f"{artefact_name(run.name)}-report", type="deepsight")
    for file in run.files:
        artefact.add_file(str(file))
    for name, csv in run.tables():
        with artefact.new_file(f"evidence/{name}.csv", mode="w") as file:
            file.write(csv)
    made.log_artifact(artefact)


def artefact_name(name: str) -> str:
    """The name with characters that artefact names do not allow replaced by dashes."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "-" for sign in name)
