"""A study under way: what its stages share and pass on."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from lightning_fabric import Fabric

from deepsight import obtain
from deepsight.config import StudyConfig, StudyPlan, as_path, study_of
from deepsight.core.array_types import Bools, Ints, Pixels
from deepsight.core.dataset import Dataset, Splits, select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import write_json
from deepsight.core.image_table import changes_between, image_table, split_list
from deepsight.core.progress import Log, StageStarted, silent
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.core.stop import raise_if_stopped
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.model import pretrained as weights
from deepsight.model.engine.settings import use_settings
from deepsight.model.fit import fabric_of
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.hardware.throughput import Throughput
from deepsight.model.plan_search import Workload
from deepsight.obtain.data_uri import TEST_SHARE
from deepsight.obtain.decoding.crop import Fit
from deepsight.scrub.duplicates.official import parts_digest
from deepsight.workflows.passes.block_passes import LOCAL

SECONDS = "seconds.json"
JUDGED_AT = 64  # pixels: the side at which ways to fit a picture are compared


@dataclass(frozen=True)
class Promise:
    """What a plan that was made in this process promised, so that later stages can keep it.

    Attributes:
        budget: seconds of the whole study; at least what the plan was predicted to take.
        work: what the study does besides training.
        speed: of the network at the planned resolution, as it was measured.
        sampled: seconds planned for checks that work on samples.
        mask_seconds: that cutting out an object took.
        training: seconds that the training is expected to take.
    """

    budget: float
    work: Workload
    speed: Throughput
    sampled: float
    mask_seconds: float
    training: float


@dataclass
class Context:
    """A study under way: its run folder, its configuration, and what the stages pass on.

    Attributes:
        run: the run folder.
        study: the configuration; the planner adds its plan.
        log: receives what the work says; `print` shows it.
        fabric: precision, device and processes.
        seconds: by stage, as it goes into metrics.json.
        began: when the study began, on the clock of `time.perf_counter`.
        promise: what the plan promised, if it was made in this process; a plan from a file is never changed.
        engine: where all test images are looked at and measured: "local", "ray" or "ray://HOST:PORT". It is
            no part of the configuration, since it changes no answer.
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
        """Note the time of stages, also for a later process that takes the run up."""
        if not self.seconds and self.run.has(SECONDS):
            self.seconds.update(self.earlier_seconds())
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value
        write_json(self.run.file(SECONDS), rounded(self.seconds))

    def earlier_seconds(self) -> dict[str, float]:
        """What earlier processes took; they are only times, so damage to them stops nothing."""
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
        got = obtain.load_dataset(
            study.data, data_dir=as_path(study.data_dir), resolution=study.resolution, fit=study.fit,
            judge=None if self.run.has("data.json") else partial(told_apart, self),
            test_share=1 / study.folds if study.folds and study.folds > 1 else TEST_SHARE,
            offline=study.offline, log=self.log,
        )  # fmt: skip
        require_same_data(self.run, got)
        return got

    @cached_property
    def search_key(self) -> str:
        """The name under which the near-duplicates among all official images are stored."""
        return parts_digest(self.obtained.named())

    def save_data(self) -> None:
        """Write what the data is: data.json, the table of images, and the list of the splits."""
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
        """The backbone before it has seen a label."""
        return FrozenBackbone(self.pretrained)

    @property
    def plan(self) -> StudyPlan:
        """What the planner settled."""
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
        """The splits as stored: rows of the official order."""
        rows = self.run.splits()
        train, val = (select_ids(data, rows[name]) for name, data in self.official.items())
        return Splits(train, val, select_ids(self.obtained.test, rows["test"]))


def told_apart(context: Context, pictures: Mapping[Fit, Pixels], labels: Ints) -> dict[Fit, Bools]:
    """Which images (n,) a probe on the untrained backbone gets right out of fold, by how they are fitted.

    Where the backbone cannot be had, cropping counts as right.
    """
    present, numbers = np.unique(labels, return_inverse=True)
    try:
        frozen = context.frozen
    except DeepSightError as error:
        context.log(f"How pictures are fitted is not compared: {error}")
        return {fit: np.full(len(labels), fit == "crop") for fit in pictures}
    found = {}
    for fit, pixels in pictures.items():
        features = frozen.features(pixels, Recipe(resolution=JUDGED_AT))
        said = out_of_fold_probabilities(features, numbers, len(present), folds=5, seed=0)
        found[fit] = said.argmax(axis=1) == numbers
    return found


def opened_context(run: Run, log: Log = silent) -> Context:
    """A run that is opened to be used. It may be a stranger's, so nothing that it names is fetched."""
    return Context(run, study_of(run.study()).model_copy(update={"offline": True}), log)


def require_same_data(run: Run, got: obtain.Obtained) -> None:
    """Refuse data that is not what a run was made from; runs of earlier versions know no digests.

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
