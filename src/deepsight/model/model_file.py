"""A trained model on disk: model.safetensors in timm names, and model.json."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save

from deepsight.core.files.atomic import atomic_path, write_json
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.predict import Predictor
from deepsight.model.preprocess import Preprocessing
from deepsight.model.pretrained import Pretrained, read_safetensors, require_known
from deepsight.model.traced_backbone import create_backbone
from deepsight.model.training.fit import Fitted

MODEL_FILES = ("model.safetensors", "model.json")  # in the run folder


def save_model(
    folder: Path, fitted: Fitted, pretrained: Pretrained, classes: tuple[str, ...], recipe: Recipe
) -> None:
    """Write model.safetensors (timm names), then model.json, which completes the model."""
    state = {name: value.cpu() for name, value in fitted.predictor.classifier.timm_state().items()}
    with atomic_path(folder / "model.safetensors") as path:
        path.write_bytes(save(state))  # a full disk raises OSError here; save_file would raise another error
    averaged = fitted.predictor.classifier.known_family
    pooling = "global average pooling" if averaged else "the backbone's own pooling"
    about = {
        "architecture": pretrained.name,
        "classes": list(classes),
        "preprocessing": fitted.predictor.preprocessing.describe(),
        "recipe": recipe.to_dict(),
        "recipe_digest": recipe.digest(),
        "weights_source": pretrained.source,
        "notice": pretrained.notice,
        "absent_tensors": list(pretrained.absent),
        "head": f"{pooling}, linear",
        "trunk_ends_after": fitted.predictor.classifier.last_frozen_stage,
        "head_strength": fitted.head_strength,
        "kept_phase": fitted.kept,
    }
    write_json(folder / "model.json", about)


def load_model(folder: Path) -> Predictor:
    """The predictor saved in a run folder, identical bit for bit.

    Raises:
        UsageError: the folder names an architecture that is not timm's own.
        DeepSightError: the weights do not fit it.
    """
    about: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    require_known(about["architecture"])  # timm would download "hf-hub:…" and read "local-dir:…"
    classifier = Classifier(create_backbone(about["architecture"]), len(about["classes"]))
    classifier.load_timm_state(read_safetensors(folder / "model.safetensors"))
    classifier.fuse_all()
    preprocessing = about["preprocessing"]
    for name in ("mean", "std"):
        preprocessing[name] = tuple(preprocessing[name])
    return Predictor(classifier.eval(), Preprocessing(**preprocessing))
