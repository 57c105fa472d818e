"""Publishes the model of a run on the Hugging Face hub: `deepsight push RUN hf:USER/NAME`."""

import json
import os
import re
from pathlib import Path
from typing import Any

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log, silent
from deepsight.core.run import METRICS, REPORT, Run
from deepsight.workflows.publish.model_card import card_text

REPOSITORY = re.compile(r"hf:([\w.-]+/[\w.-]+)", re.ASCII)
WEIGHTS, MODEL = "model.safetensors", "model.json"


def push_run(run: str | Path, to: str, *, private: bool = False, log: Log = silent) -> str:
    """Publish the model with its card, metrics and report, in the layout of timm's repositories.

    The repository is created if absent; files with the same names are replaced. HF_ENDPOINT overrides the
    address of the hub.

    Args:
        run: the run folder.
        to: "hf:USER/NAME".
        private: make a new repository private.
        log: receives progress and warnings.

    Returns:
        The address of the repository.

    Raises:
        UsageError: the name does not have this form.
        DeepSightError: the run has no trained model, or the hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    name = require_repository(to)
    opened = Run.open(Path(run)).require_study("push").require(METRICS, stage="interpret")
    for file in (WEIGHTS, MODEL):
        opened.require(file, stage="train")
    files = [CommitOperationAdd(path, content) for path, content in repository_files(opened).items()]
    log(f"Pushes {len(files)} files to {name}. Card and report name the data as you did, with its path.")
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        made = api.create_repo(name, private=private, exist_ok=True)
        api.create_commit(name, files, commit_message=f"DeepSight run {opened.path.resolve().name}")
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise DeepSightError(
            f"Expected to push to {name}, but the hub refuses: {str(error).splitlines()[0]}. "
            "Log in with `hf auth login`, and check that the name is yours."
        ) from error
    return str(made)


def require_repository(to: str) -> str:
    """The name of the repository.

    Raises:
        UsageError: it is not of the form hf:USER/NAME.
    """
    found = REPOSITORY.fullmatch(to)
    if found is None:
        raise UsageError(f"Expected hf:USER/NAME, received '{to}'.")
    return found[1]


def repository_files(run: Run) -> dict[str, Path | bytes]:
    """The files of the repository by name: a path in the run folder, or the content itself."""
    model = run.read_json(MODEL)
    config = json.dumps(hub_config(model), indent=2, ensure_ascii=False) + "\n"
    made: dict[str, Path | bytes] = {
        "README.md": card_text(run).encode(),
        "config.json": config.encode(),
    }
    kept = [name for name in (WEIGHTS, MODEL, METRICS, REPORT) if run.has(name)]
    return made | {name: run.file(name) for name in kept}


def hub_config(model: dict[str, Any]) -> dict[str, Any]:
    """timm's config.json for a trained model: architecture, classes and preprocessing.

    Args:
        model: the content of model.json.
    """
    import timm

    architecture = str(model["architecture"]).partition(".")[0]
    known = timm.get_pretrained_cfg(architecture)
    prepared = model["preprocessing"]
    side, k = prepared["resolution"], len(model["classes"])
    named = ("first_conv", "classifier", "fixed_input_size")
    parts = {name: getattr(known, name) for name in named} if known else {}
    return {
        "architecture": architecture,
        "num_classes": k,
        "label_names": list(model["classes"]),
        "pretrained_cfg": {
            "input_size": [3, side, side], "crop_pct": 1.0, "crop_mode": "squash",
            "interpolation": prepared["interpolation"], "mean": list(prepared["mean"]),
            "std": list(prepared["std"]), "num_classes": k, "custom_load": False, **parts,
        },
    }  # fmt: skip
