"""One typed configuration: what was asked, and what the planner made of it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from deepsight.core.engine_settings import EngineSettings
from deepsight.core.errors import UsageError
from deepsight.core.files.safe_yaml import read_yaml
from deepsight.core.recipe import MOST_SEEDS, Recipe

MOST_MINUTES = 1e6  # two years


def as_path(value: str | Path | None) -> Path | None:
    """The path of this name, if there is one."""
    return None if value is None else Path(value)


class StudyPlan(BaseModel):
    """What the planner settled; with it in the file, a study gives the same numbers anywhere.

    Attributes:
        backbone: the timm name that "auto" came to.
        train_rows: training images that are used; the rest is not touched.
        recipe: the training.
        engine: how forward passes are carried out.
        folds: models that are trained, each without a part of the images of its own; 1 is one split.
        degradation_images, context_objects, faithfulness_images: sizes of the samples that the costly
            checks take.
        lever_sizes: sizes of the trials of the levers; empty tries none.
        predicted_seconds: by stage, as predicted before the study.
        predicted_peak_mb: resident memory at its peak, as predicted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str
    train_rows: int = Field(gt=0)
    recipe: Recipe
    engine: EngineSettings = EngineSettings()
    folds: int = Field(default=1, ge=1)
    degradation_images: int = Field(gt=0)
    context_objects: int = Field(gt=0)
    faithfulness_images: int = Field(gt=0)
    lever_sizes: dict[str, int] = {}
    predicted_seconds: dict[str, float] = {}
    predicted_peak_mb: float = 0.0


class ExaminedSource(BaseModel):
    """What was made elsewhere and is examined: predictions, or a model.

    Attributes:
        predictions: the file that holds them, or None where the model itself is examined.
        model: its name, or None where predictions alone are examined.
        split: "train", "val", "test" or "all".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    predictions: Path | None = None
    model: str | None = None
    split: str = "test"


class AuditedSource(BaseModel):
    """What an audit compares with, and whether the images had labels.

    Attributes:
        against: the run folder, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    against: Path | None = None


class StudyConfig(BaseModel):
    """A study as it was asked for, and its plan once there is one.

    Attributes:
        data: "cifar10", "folder:PATH", "table:FILE", "hf:NAME", "arrays:FILE.npz" or "keras:NAME".
        data_dir: where the user's own copy of CIFAR-10 lies.
        backbone: a timm name or "auto".
        weights: a .safetensors file or "auto".
        allow_partial: go on when the weights file lacks tensors.
        minutes: the time that the whole study may take, in minutes.
        resolution: side of the network's input in pixels; planned when absent.
        train_limit: at most so many training images.
        folds: how many parts of the images are held out in turn, so that each image is examined by a model
            that has not seen it; 1 is one test part. When absent, five where there are fewer than 300 images
            and no test part.
        validation_share: share of the training images that is set apart to choose by.
        keep_leaks: True keeps training images that copy validation or test images, False drops them. None
            drops them too, but keeps near-duplicates, and says so, where they are more than a small share.
        mva: Minimum Viable Accuracy, the macro-F1 below which the command fails.
        seed: random seed.
        offline: use nothing that needs the network.
        fit: how pictures are brought into the stored shape: "crop" (the centred square), "pad", "squash" or
            "whole"; the data's own option, or "crop", when absent.
        examined: the predictions or the model that are examined; absent in a study.
        audited: present where the folder holds the audit of a data set and no study.
        plan: what the planner settled.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = "cifar10"
    data_dir: Annotated[str | Path | None, AfterValidator(as_path)] = None
    backbone: str = "auto"
    weights: str = "auto"
    allow_partial: bool = False
    minutes: float = Field(default=5.0, gt=0, le=MOST_MINUTES, allow_inf_nan=False)
    resolution: int | None = Field(default=None, ge=32, le=512, multiple_of=32)
    train_limit: int | None = Field(default=None, gt=0)
    folds: int | None = Field(default=None, ge=1, le=20)
    validation_share: float = Field(default=0.1, gt=0, lt=1, allow_inf_nan=False)
    interpolation: Literal["auto", "nearest", "bilinear", "bicubic", "lanczos"] = "auto"
    keep_leaks: bool | None = None
    mva: float = Field(default=0.65, ge=0, le=1, allow_inf_nan=False)
    seed: int = Field(default=0, ge=0, lt=MOST_SEEDS)
    offline: bool = False
    gates: tuple[str, ...] = ()
    fit: Literal["crop", "pad", "squash", "whole"] | None = None
    examined: ExaminedSource | None = None
    audited: AuditedSource | None = None
    plan: StudyPlan | None = None

    def stored(self) -> dict[str, Any]:
        """As it stands in study.yaml; what is optional and absent is left out."""
        content = self.model_dump(mode="json")
        absent = [
            name for name in ("plan", "examined", "audited", "fit", "folds", "gates") if not content[name]
        ]
        return {name: value for name, value in content.items() if name not in absent}


def study_of(values: dict[str, Any]) -> StudyConfig:
    """A checked configuration.

    Raises:
        UsageError: a value is out of its range or a name is unknown; the message names the option.
    """
    try:
        return StudyConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + ".".join(str(part) for part in first["loc"]).replace("_", "-")
        wanted = str(first["msg"]).removeprefix("Input should be ")
        raise UsageError(
            f"Expected {option} to be {wanted[0].lower() + wanted[1:]}, "
            f"received {first['input']!r}. See deepsight run --help."
        ) from error


def read_study(path: Path) -> dict[str, Any]:
    """The values of a study.yaml.

    Raises:
        UsageError: the file is absent or is not a mapping in YAML.
    """
    try:
        return read_yaml(path)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"Expected a study.yaml in {path}, but it cannot be read: {error}.") from error
