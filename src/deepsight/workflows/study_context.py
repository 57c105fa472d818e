"""The state of a study that its stages share."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

from lightning_fabric import Fabric

from deepsight import obtain
from deepsight.config import StudyConfig, StudyPlan, as_path, study_of
from deepsight.core.dataset import Dataset, Splits, select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import write_json
from deepsight.core.image_table import changes_between, image_table, split_list
from deepsight.core.progress import Log, StageStarted, silent
from deepsight.core.run import Run
from deepsight.core.stop import raise_if_stopped
from deepsight.model import pretrained as weights
from deepsight.model.engine.settings import use_settings
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.hardware.throughput import Throughput
from deepsight.model.plan_search import Workload
from deepsight.model.training.fit import fabric_of
from deepsight.obtain.data_uri import TEST_SHARE
from deepsight.scrub.duplicates.official import parts_digest
from deepsight.workflows.fit_comparison import recognised_by_fit
from deepsight.workflows.passes.block_passes import LOCAL

SECONDS = "seconds.json"


@dataclass(frozen=True)
class Promise:
    """The predictions behind a plan that this process made, by which later stages keep to the budget.

    Attributes:
        budget: seconds of the whole study, at least as many as the plan is predicted to take.
        work: the work besides training.
        speed: measured speed of the network at the planned resolution.
        sampled: seconds planned for the checks on samples.
        mask_seconds: measured seconds to cut out one object.
        training: predicted seconds of the training.
        contention: how many times as long a thread took because of other processes.
    """

    budget: float
    work: Workload
    speed: Throughput
    sampled: float
    mask_seconds: float
    training: float
    contention: float = 1.0


@dataclass
class Context:
    """A running study: its run folder, its configuration, and the state that its stages share.

    Attributes:
        run: the run folder.
        study: the configuration; the planner adds its plan.
        log: receives progress and warnings; `print` shows them.
        fabric: precision, device and processes.
        seconds: by stage, as metrics.json stores them.
        began: when the study began, on the clock of `time.perf_counter`.
        promise: the predictions behind the plan, if this process made it; a plan from a file never changes.
        engine: where the model passes over all test images: "local", "ray" or "ray://HOST:PORT". Not part of
            the configuration, since it changes no answer.
    """

    run: Run
    study: StudyConfig
    log: Log = silent
    fabric: Fabric = field(default_factory=fabric_of)
    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)
    promise: Promise | None = None
    engine: str = LOCAL

    def __post_init__(self) -> None:
        if self.study.plan is not None:
            use_settings(self.study.plan.engine)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and time it."""
        raise_if_stopped()
        self.log(StageStarted(name))
        began = time.perf_counter()
        yield
        self.add_seconds(**{name: time.perf_counter() - began})

    def add_seconds(self, **seconds: float) -> None:
        """Add to the time of stages, and store it for a process that resumes the run."""
        if not self.seconds and self.run.has(SECONDS):
            self.seconds.update(self.earlier_seconds())
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value
        write_json(self.run.file(SECONDS), rounded(self.seconds))

    def earlier_seconds(self) -> dict[str, float]:
        """The seconds of earlier processes; a damaged file is logged and does not stop the study."""
        try:
            return {name: float(value) for name, value in self.run.read_json(SECONDS).items()}
        except (DeepSightError, TypeError, ValueError):
            self.log(f"The times in {self.run.file(SECONDS)} cannot be read and are counted from zero.")
            return {}

    @cached_property
    def obtained(self) -> obtain.Obtained:
        """The data set, from the first source that has it.

        Raises:
            DeepSightError: the run was made from other data; the message says what changed.
        """
        study = self.study
        judge = partial(recognised_by_fit, lambda: self.frozen, log=self.log)
        got = obtain.load_dataset(
            study.data, data_dir=as_path(study.data_dir), resolution=study.resolution, fit=study.fit,
            judge=None if self.run.has("data.json") else judge,
            test_share=1 / study.folds if study.folds and study.folds > 1 else TEST_SHARE,
            offline=study.offline, log=self.log,
        )  # fmt: skip
        require_same_data(self.run, got)
        return got

    @cached_property
    def search_key(self) -> str:
        """The name in the cache of the near-duplicates among all official images."""
        return parts_digest(self.obtained.named())

    def save_data(self) -> None:
        """Write data.json, the table of images, and the list of the splits."""
        got = self.obtained
        images = image_table(got.named(), got.digests)
        if self.study.fit is None and "fit_comparison" in got.record:
            self.study = self.study.model_copy(update={"fit": got.record["fit"]})
            self.run.save_study(self.study.stored())
        self.run.save_json("data.json", got.record)
        self.run.save_images(images)
        if not self.run.has("splits.npz"):
            self.run.save_split_list(split_list(images, got.named()))

    @cached_property
    def pretrained(self) -> weights.Pretrained:
        """The backbone with its ImageNet weights."""
        study = self.study
        return weights.load_pretrained(
            study.plan.backbone if study.plan else study.backbone, study.weights,
            allow_partial=study.allow_partial, offline=study.offline, log=self.log,
        )  # fmt: skip

    @cached_property
    def frozen(self) -> FrozenBackbone:
        """The pretrained backbone, before any training."""
        return FrozenBackbone(self.pretrained)

    @property
    def plan(self) -> StudyPlan:
        """The stored plan.

        Raises:
            DeepSightError: the study has none yet.
        """
        if self.study.plan is None:
            raise DeepSightError("Expected a plan in study.yaml, found none. Run the scrub stage first.")
        return self.study.plan

    @property
    def official(self) -> dict[str, Dataset]:
        """The official parts that train and validation come from, before anything was dropped."""
        got = self.obtained
        return {"train": got.train, "val": got.train if got.validation is None else got.validation}

    @cached_property
    def splits(self) -> Splits:
        """The stored splits, selected from the official parts."""
        rows = self.run.splits()
        train, val = (select_ids(data, rows[name]) for name, data in self.official.items())
        return Splits(train, val, select_ids(self.obtained.test, rows["test"]))


def fresh_backbone(context: Context, name: str, log: Log = silent) -> weights.Pretrained:
    """A newly loaded backbone: the run's own for an empty name, else the named one with its own weights.

    Args:
        context: of a study with a plan.
        name: a timm name, or "".
        log: receives what loading another backbone reports.

    Raises:
        DeepSightError: the weights are not available.
    """
    study = context.study
    if name:
        return weights.load_pretrained(name, offline=study.offline, log=log)
    return weights.load_pretrained(
        context.plan.backbone, study.weights, allow_partial=study.allow_partial, offline=study.offline
    )


def opened_context(run: Run, log: Log = silent) -> Context:
    """The context of an existing run, offline: the run may come from a stranger, so it fetches nothing."""
    return Context(run, study_of(run.study()).model_copy(update={"offline": True}), log)


def require_same_data(run: Run, got: obtain.Obtained) -> None:
    """Refuse data that changed since the run was made; runs of earlier versions store no digests.

    Raises:
        DeepSightError: it changed; the message says which files were added, removed or changed.
    """
    known = run.read_json("data.json") if run.has("data.json") else {}
    if "digests" not in known or known["digests"] == got.record["digests"]:
        return
    before = run.images()
    what = (
        "its digests differ"
        if before is None
        else changes_between(before, image_table(got.named(), got.digests))
    )
    raise DeepSightError(
        f"The data changed since the run in {run.path}: {what}. Restore it, or begin a new run with another "
        "--out."
    )


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Seconds to a tenth."""
    return {name: round(value, 1) for name, value in values.items()}
