"""Schemas of the JSON files of a run, as far as DeepSight reads them.

A run may come from a stranger, so its values are checked before use. Further keys are allowed.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Share = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[float, float]
Side = Annotated[int, Field(ge=1, le=16_384)]  # pixels


class Checked(BaseModel):
    """A strict object: text is not accepted for numbers, nor are NaN and infinity."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class GateResult(Checked):
    """The result of one gate, as `deepsight check` prints it and metrics.json and audit.json store it.

    Attributes:
        gate: the condition as the user wrote it.
        passed: whether it holds.
        value: the value compared with the bound; for a gate "by interval", an end of the interval.
        low, high: the 95 % interval, None where there is none.
        n: images behind the value.
        says: the result in one sentence.
    """

    model_config = ConfigDict(frozen=True)

    gate: str
    passed: bool
    value: float
    low: float | None
    high: float | None
    n: int
    says: str


class ComparedScores(Checked):
    """The scores of two runs on the same images, under one set of labels."""

    macro_f1_before: float
    macro_f1_after: float
    difference: float
    ci95: Interval
    p_value: float


class ComparedWith(Checked):
    """The result of `--compare-with`. Scores under the earlier labels exist only if test labels changed."""

    run: str
    n: int
    relabelled: int
    left_out: int
    added: int
    labels_of_this_run: ComparedScores
    labels_of_the_earlier_run: ComparedScores | None = None


class Metrics(Checked):
    """The content of metrics.json. Keys may be added, never renamed."""

    macro_f1: Share
    macro_f1_ci95: Interval
    accuracy: Share
    accuracy_ci95: Interval | None = None
    mva: Share
    mva_passed: bool
    n_test: int = Field(ge=0)
    folds: int | None = None
    n_groups: int | None = None
    effective_n: float | None = None
    macro_f1_without_leaks: float | None = None
    macro_f1_without_leaks_ci95: Interval | None = None
    n_leaked: int | None = None
    backbone: str | None = None
    weights_source: str | None = None
    data_source: str | None = None
    resolution: int | None = None
    seed: int | None = None
    peak_rss_mb: float | None = None
    seconds: dict[str, float] = {}
    gates: list[GateResult] = []
    compared_with: ComparedWith | None = None


class AuditValue(Checked):
    """One number of an audit, with its 95 % interval where it has one."""

    value: float
    low: float | None
    high: float | None
    n: int = Field(ge=0)


class AuditResults(Checked):
    """The content of audit.json. Keys may be added, never renamed."""

    data: str
    against: str | None
    n: int = Field(ge=0)
    n_by_split: dict[str, int]
    classes: int | None
    metrics: dict[str, AuditValue]
    seed: int = Field(ge=0)
    peak_rss_mb: float
    seconds: dict[str, float]
    gates: list[GateResult] = []


class DataFile(Checked):
    """The content of data.json."""

    source: str | None = None
    sources: dict[str, str] = {}
    digests: dict[str, str] = {}
    counts: dict[str, int] = {}
    image_shape: Annotated[list[Side], Field(min_length=3, max_length=3)] | None = None
    classes: list[str] = []
    fit: Literal["crop", "pad", "squash", "whole"] | None = None
    bit_depths: dict[str, list[float]] = {}
    groups: int | None = None
    held_out_test: dict[str, Any] | None = None
    examined: dict[str, Any] | None = None
    passed_over: list[Any] = []
    quarantined: list[dict[str, str]] = []
    failed_sources: list[dict[str, str]] = []


class ModelFile(Checked):
    """The content of model.json."""

    architecture: str
    classes: list[str] = []
    preprocessing: dict[str, Any] | None = None
    recipe: dict[str, Any] = {}
    notice: str | None = None
    weights_source: str | None = None
    absent_tensors: list[str] = []


class GroupOfClasses(Checked):
    """One side of a hypothesis."""

    name: str
    classes: list[str]


class HypothesisRecord(Checked):
    """A hypothesis that was registered before training."""

    name: str
    statement: str
    test: str
    first: GroupOfClasses
    second: GroupOfClasses


class HypothesesFile(Checked):
    """The content of hypotheses.json."""

    hypotheses: list[HypothesisRecord] = []


class Environment(Checked):
    """The content of environment.json."""

    python: str | None = None
    versions: dict[str, str] = {}
    platform: str | None = None
    processor: str | None = None
    cores: int | None = None
    threads: int | None = None
    accelerator: str | None = None


SCHEMAS: Mapping[str, type[Checked]] = {
    "metrics.json": Metrics, "data.json": DataFile, "model.json": ModelFile, "environment.json": Environment,
    "hypotheses.json": HypothesesFile, "audit.json": AuditResults,
}  # fmt: skip


def require_schema(name: str, text: str) -> None:
    """Refuse the text of a JSON file whose values do not have the types and ranges that DeepSight writes.

    Raises:
        ValueError: a value does not; the message names the first.
    """
    schema = SCHEMAS.get(name)
    if schema is None:
        return
    try:
        schema.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ValueError(f"{place}: {first['msg']}") from error
