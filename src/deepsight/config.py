"""The typed configuration of a study: what the user asked for, and the plan made from it."""

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
    """A path from a string; None stays None."""
    return None if value is None else Path(value)


class StudyPlan(BaseModel):
    """The planner's decisions. Stored in study.yaml, they make a study repeatable on another machine.

    Attributes:
        backbone: a timm name, also where "auto" was asked for.
        train_rows: training images that are used.
        recipe: the training.
        engine: settings of the inference engine.
        folds: number of models, each trained without another part of the images; 1 is a single split.
        degradation_images, context_objects, faithfulness_images: sample sizes of the expensive checks.
        lever_sizes: sizes of the trials of levers, by name; empty tries none.
        predicted_seconds: predicted duration of each stage.
        predicted_peak_mb: predicted peak of resident memory, in megabytes.
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
    """The external model, or its predictions, that a run examines.

    Attributes:
        predictions: the file of predictions, or None where the model itself is examined.
        model: the name of the model, or None where only predictions are examined.
        split: "train", "val", "test" or "all".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    predictions: Path | None = None
    model: str | None = None
    split: str = "test"


class AuditedSource(BaseModel):
    """What an audit compares the data with.

    Attributes:
        against: the folder of an earlier run or audit, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    against: Path | None = None


class StudyConfig(BaseModel):
    """The options of a study, and its plan once there is one.

    Attributes:
        data: "cifar10", "folder:PATH", "table:FILE", "hf:NAME", "arrays:FILE.npz", "keras:NAME",
            "webdataset:PATTERN" or "parquet:PATTERN".
        data_dir: the folder of the user's own copy of CIFAR-10.
        backbone: a timm name or "auto".
        weights: a .safetensors file or "auto".
        allow_partial: continue when the weights file lacks tensors.
        minutes: time limit of the whole study, in minutes, above 0.
        resolution: side of the network's input in pixels, a multiple of 32 from 32 to 512; None lets the
            planner choose.
        train_limit: maximum number of training images; None for no limit.
        folds: number of cross-validation folds, so that each image is examined by a model that has not seen
            it, 1 to 20; 1 is a single test part. None means 5 for fewer than 300 images without a test part,
            else 1.
        validation_share: share of the training images used for validation, in (0, 1).
        interpolation: how images are resized; "auto" chooses by evidence.
        keep_leaks: True keeps training images that duplicate validation or test images, False drops them.
            None drops them too, but keeps near-duplicates, with a notice, if they are more than a few.
        mva: Minimum Viable Accuracy, the macro-F1 below which the command fails, 0 to 1.
        seed: random seed, 0 to 2^32 - 1.
        offline: use nothing that needs the network.
        gates: conditions on the results, as `deepsight check` takes them.
        fit: how pictures are fitted to the stored shape: "crop" (the centred square), "pad", "squash" or
            "whole"; None uses the option of `data`, or else decides by the images.
        examined: the external model or predictions that the run examines; None in a study.
        audited: set where the folder holds the audit of a data set; None in a study.
        plan: the planner's decisions.
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
        """The content of study.yaml, without optional values that are not set."""
        content = self.model_dump(mode="json")
        absent = [
            name for name in ("plan", "examined", "audited", "fit", "folds", "gates") if not content[name]
        ]
        return {name: value for name, value in content.items() if name not in absent}


def study_of(values: dict[str, Any]) -> StudyConfig:
    """The configuration with these values.

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
