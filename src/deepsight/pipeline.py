"""The whole study, top to bottom.

    obtain -> scrub -> explore -> model -> interpret -> report

Every stage reads what the stages before it left in the run folder and writes what it found there; a stage
whose results are there is not run again, so that an interrupted study goes on where it stopped.
"""

import copy
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deepsight import obtain
from deepsight.config import Plan, Study
from deepsight.core.dataset import Dataset, Splits
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table
from deepsight.core.hypothesis import from_json, to_json
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.core.run import METRICS, Run
from deepsight.core.statistics import bootstrap_macro_f1, macro_f1
from deepsight.explore.describe import describe
from deepsight.explore.hypotheses import register
from deepsight.interpret import masks
from deepsight.interpret.context_budget import affordable_objects
from deepsight.interpret.examine import examine
from deepsight.interpret.inside import Effort
from deepsight.interpret.opinions import Part
from deepsight.interpret.subject import Subject
from deepsight.model import plan as planner
from deepsight.model import weights
from deepsight.model.backbone import Classifier
from deepsight.model.finetune import Epoch
from deepsight.model.fit import fabric_of, fit, load_model, save_model
from deepsight.model.predict import Predictor
from deepsight.model.preprocess import Preprocessing
from deepsight.model.trunk import TrunkCache
from deepsight.obtain.cache import cache_folder
from deepsight.report.html import render
from deepsight.scrub import interpolation
from deepsight.scrub.integrity import verify_batch
from deepsight.scrub.split import limit_train, split

Tell = Callable[[str], None]
SECONDS = "seconds.json"
SAMPLE = 1500  # training images that are embedded and from which hypotheses are proposed


@dataclass
class Context:
    """A study under way: its run folder, its configuration, and what the stages pass on.

    Attributes:
        run: the run folder.
        study: the configuration; the planner adds its plan.
        tell: receives a line for each thing that the user should see.
        seconds: by stage, as it goes into metrics.json.
        began: when the study began, on the clock of `time.perf_counter`.
    """

    run: Run
    study: Study
    tell: Tell = lambda _: None
    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and time it."""
        self.tell(f"[{name}]")
        began = time.perf_counter()
        yield
        self.add_seconds(**{name: time.perf_counter() - began})

    def add_seconds(self, **seconds: float) -> None:
        """Note the time of stages, also for a later process that takes the run up."""
        if not self.seconds and self.run.has(SECONDS):
            self.seconds.update(self.run.read_json(SECONDS))
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value
        self.run.save_json(SECONDS, rounded(self.seconds))

    @cached_property
    def obtained(self) -> obtain.Obtained:
        """The data set, from the first source that has it."""
        study = self.study
        return obtain.load(study.data, data_dir=study.data_dir, offline=study.offline, notify=self.tell)

    @cached_property
    def pretrained(self) -> weights.Pretrained:
        """The backbone with its ImageNet weights."""
        study = self.study
        return weights.load(
            study.plan.backbone if study.plan else study.backbone, study.weights,
            allow_partial=study.allow_partial, offline=study.offline, notify=self.tell,
        )  # fmt: skip

    @cached_property
    def frozen(self) -> Classifier:
        """The backbone as it came, folded, with a head that nobody uses."""
        classifier = Classifier(copy.deepcopy(self.pretrained.backbone), len(self.obtained.train.classes))
        classifier.fold_all()
        return classifier.eval()

    @property
    def plan(self) -> Plan:
        """What the planner settled."""
        if self.study.plan is None:
            raise DeepSightError("Expected a plan in study.yaml, found none. Run the scrub stage first.")
        return self.study.plan

    @cached_property
    def splits(self) -> Splits:
        """The splits as stored: rows of the official order."""
        rows = self.run.splits()
        got = self.obtained
        validation = got.train if got.validation is None else got.validation
        return Splits(
            of_ids(got.train, rows["train"]), of_ids(validation, rows["val"]), of_ids(got.test, rows["test"])
        )

    def features(self, pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
        """Pooled features of the frozen backbone."""
        return Predictor(self.frozen, preprocessing, verify_at(preprocessing.resolution)).features(pixels)


def verify_at(resolution: int) -> Callable[[torch.Tensor, torch.Tensor | None, str], None]:
    """The check of every batch against the declared shape."""

    def verify(images: torch.Tensor, labels: torch.Tensor | None, name: str) -> None:
        verify_batch(images, labels, shape=(3, resolution, resolution), classes=1 << 30, batch=name)

    return verify


def of_ids(data: Dataset, ids: NDArray[np.int64]) -> Dataset:
    """The rows of a data set with these ids, in their order."""
    order = np.argsort(data.ids)
    return data.select(order[np.searchsorted(data.ids, ids, sorter=order)])


def begin(study: Study, out: Path, tell: Tell) -> Context:
    """Open the run folder for this study, new or interrupted."""
    run = Run.create(out, study.stored())
    resolved = Study(**run.study())
    return Context(run, resolved, tell)


def run_study(study: Study, out: Path, *, tell: Tell = lambda _: None) -> dict[str, Any]:
    """The study: obtain, scrub, explore, model, interpret, report.

    Args:
        study: what is asked.
        out: the run folder.
        tell: receives a line for each thing that the user should see.

    Returns:
        The content of metrics.json.
    """
    context = begin(study, out, tell)
    for stage in STAGES.values():
        stage(context)
    return context.run.metrics()


def obtain_stage(context: Context) -> None:
    """Data from the first source that has it, its digests and counts in data.json."""
    with context.stage("obtain"):
        context.run.save_json("data.json", context.obtained.record)
        context.run.save_json("environment.json", environment())


def scrub_stage(context: Context) -> None:
    """Splits without leakage, a plan that fits this machine, and interpolation chosen on evidence."""
    run, study, got = context.run, context.study, context.obtained
    if run.has("splits.npz") and study.plan is not None:
        return
    with context.stage("scrub"):
        parts = split(
            got.train, got.test, validation=got.validation, validation_share=study.validation_share,
            seed=study.seed, keep_leaks=study.keep_leaks,
        )  # fmt: skip
        splits = parts.splits
        plan = study.plan or make_plan(context, splits)
        train = limit_train(splits.train, limit=plan.train_rows, seed=study.seed)
        evidence = {"split_checks": parts.checks, "split_dropped": parts.dropped}
        if study.plan is None and study.interpolation == "auto":
            found = study_interpolation(context, train, plan.recipe)
            evidence["interpolation"] = found
            chosen = found.frame.filter(found.frame["chosen"]).row(0, named=True)
            recipe = replace(plan.recipe, interpolation=chosen["method"], antialias=chosen["antialias"])
            plan = plan.model_copy(update={"recipe": recipe})
        save_tables(run, **evidence)
        context.study = study.model_copy(update={"plan": plan})
        run.save_study(context.study.stored())
        run.save_splits({"train": train.ids, "val": splits.validation.ids, "test": splits.test.ids})


def explore_stage(context: Context) -> None:
    """What the data looks like, and what is expected of the model, written down before there is one."""
    run, study = context.run, context.study
    if run.has("hypotheses.json"):
        return
    with context.stage("explore"):
        train = context.splits.train
        rows = np.sort(np.random.default_rng(study.seed).permutation(len(train))[:SAMPLE])
        features = context.features(train.pixels(rows), preprocessing_of(context, context.plan.recipe))
        save_tables(run, **describe(context.splits, features, rows, seed=study.seed))
        hypotheses = register(train.classes, features, train.labels[rows])
        run.save_json("hypotheses.json", to_json(hypotheses))


def model_stage(context: Context) -> None:
    """The frozen phase and fine-tuning, then what the model says about validation and test."""
    run, plan = context.run, context.plan
    if run.has("predictions/test.npz"):
        return
    began = time.perf_counter()
    context.tell("[train]")
    splits = context.splits
    verify = verify_at(plan.recipe.resolution)
    fitted = fit(
        context.pretrained, splits, plan.recipe, cache=TrunkCache(cache_folder() / "trunk"),
        verify=verify, fabric=fabric_of(), tell=partial(tell_epoch, context.tell),
    )  # fmt: skip
    frozen = float(fitted.history.filter(fitted.history["phase"] == "frozen")["seconds"].sum())
    context.add_seconds(frozen=frozen, finetune=time.perf_counter() - began - frozen)
    with context.stage("predict"):
        save_model(run.path, fitted, context.pretrained, splits.classes, plan.recipe)
        run.save_history(fitted.history)
        rows = fitted.frozen.rows
        empty = np.zeros((len(rows), len(splits.classes)), dtype=np.float32)
        train = Predictions(splits.train.ids[rows], splits.train.labels[rows], empty, fitted.frozen.features)
        train.save(run.file("predictions/train_frozen.npz"))
        for name, data in (("val", splits.validation), ("test", splits.test)):
            run.save_predictions(name, fitted.predictor.predictions(data, name=name))


def interpret_stage(context: Context) -> None:
    """What is wrong, and why; then the headline in metrics.json."""
    run, plan, splits = context.run, context.plan, context.splits
    if not run.has("evidence/ledger.parquet"):
        with context.stage("interpret"):
            train = run.predictions("train_frozen")
            subject = Subject(
                test=splits.test,
                predictions=run.predictions("test"),
                validation=run.predictions("val"),
                train=Part(train.ids, train.labels, None, train.features, "frozen"),
                others={"train": splits.train, "val": splits.validation},
                hypotheses=from_json(run.read_json("hypotheses.json")),
                seed=context.study.seed,
            )
            predictor = load_model(run.path, verify=verify_at(plan.recipe.resolution))
            found = examine(subject, predictor, effort_of_plan(plan))
            run.save_pictures(found.pictures)
            save_tables(run, **found.evidence)
    if not run.has(METRICS):
        run.save_json(METRICS, metrics_of(context))


def report_stage(context: Context) -> None:
    """One file that draws what is stored."""
    with context.stage("report"):
        render(context.run)
    seconds = {**context.seconds, "total": sum(context.seconds.values())}
    context.run.save_json(
        METRICS, {**context.run.metrics(), "seconds": rounded(seconds), "peak_rss_mb": peak_rss_mb()}
    )
    render(context.run)  # once more, with the time that it took


STAGES: dict[str, Callable[[Context], None]] = {
    "obtain": obtain_stage,
    "scrub": scrub_stage,
    "explore": explore_stage,
    "train": model_stage,
    "interpret": interpret_stage,
    "report": report_stage,
}


def run_until(last: str, out: Path, *, tell: Tell) -> Context:
    """The stages of an existing run up to this one; those that are done are not done again."""
    run = Run.open(out)
    context = Context(run, Study(**run.study()), tell)
    for name, stage in STAGES.items():
        stage(context)
        if name == last:
            break
    return context


def make_plan(context: Context, splits: Splits) -> Plan:
    """Measure this machine and choose resolution, rows and epochs that fit into the minutes."""
    study, pretrained = context.study, context.pretrained
    base = Recipe(seed=study.seed, batch_norm="training" if pretrained.absent else "frozen")
    sides = (study.resolution,) if study.resolution else planner.RESOLUTIONS
    rates = planner.measure(pretrained, base, sides, k=len(splits.classes))
    budget = study.minutes * 60
    rows = min(len(splits.train), study.train_limit or len(splits.train))
    share = min(0.3 * budget, 75.0)
    work = planner.Workload(
        rows=rows, validation=len(splits.validation), test=len(splits.test),
        elapsed=time.perf_counter() - context.began,
        fixed={"scrub": 12.0, "explore": 5.0, "interpret": 20.0 + share, "report": 4.0},
        baseline_mb=peak_rss_mb(),
    )  # fmt: skip
    found = planner.candidates(base, rates, work, budget)
    best = planner.choose(found, budget)
    effort = effort_of(share, rates[best.recipe.resolution].forward, splits.test)
    context.tell(
        f"Plan: {best.recipe.resolution} px, {best.rows} training images, {best.recipe.epochs:g} epochs; "
        f"predicted {best.total:.0f} s and {best.peak_mb / 1000:.1f} GB on {torch.get_num_threads()} threads."
    )
    return Plan(
        backbone=pretrained.name, train_rows=best.rows, recipe=best.recipe,
        **asdict(effort),
        predicted_seconds=rounded(best.seconds), predicted_peak_mb=round(best.peak_mb),
    )  # fmt: skip


def effort_of(seconds: float, images_a_second: float, test: Dataset) -> Effort:
    """Sizes of the samples that these seconds buy: a half for context, a quarter each for the others."""
    began = time.perf_counter()
    masks.segment(test.pixels(np.arange(8)))
    mask_seconds = (time.perf_counter() - began) / 8
    quarter = seconds / 4 * images_a_second
    degraded, faithful = int(np.clip(quarter / 31, 100, 2000)), int(np.clip(quarter / 256, 10, 1000))
    objects = affordable_objects(seconds / 2, mask_seconds=mask_seconds, image_seconds=1 / images_a_second)
    return Effort(degraded - degraded % 50, objects, faithful - faithful % 5)


def effort_of_plan(plan: Plan) -> Effort:
    """The sample sizes of a stored plan."""
    return Effort(plan.degradation_images, plan.context_objects, plan.faithfulness_images)


def preprocessing_of(context: Context, recipe: Recipe) -> Preprocessing:
    """The recipe's input with the normalisation that the weights expect."""
    p = context.pretrained
    return Preprocessing(recipe.resolution, recipe.interpolation, recipe.antialias, p.mean, p.std)


def study_interpolation(context: Context, train: Dataset, recipe: Recipe) -> Table:
    """Compare the ways of resizing on frozen features, at a resolution that keeps it to seconds."""

    def features(pixels: Any, method: Any, antialias: bool, resolution: int, /) -> NDArray[np.float32]:
        setting = replace(recipe, interpolation=method, antialias=antialias, resolution=resolution)
        return context.features(pixels, preprocessing_of(context, setting))

    return interpolation.study(
        train.images, train.labels, resolution=min(recipe.resolution, 64), features=features,
        k=train.k, seed=recipe.seed,
    )  # fmt: skip


def metrics_of(context: Context) -> dict[str, Any]:
    """The headline numbers of a run."""
    run, study, plan = context.run, context.study, context.plan
    p = run.predictions("test")
    score = bootstrap_macro_f1(p.labels, p.predicted, p.k, seed=study.seed)
    model = run.read_json("model.json")
    leaked = leaked_rows(run)
    clean = ~np.isin(p.ids, leaked)
    return {
        "macro_f1": score.value,
        "macro_f1_ci95": [score.low, score.high],
        "accuracy": float((p.labels == p.predicted).mean()),
        "mva": study.mva,
        "mva_passed": score.value >= study.mva,
        "n_test": len(p),
        "macro_f1_without_leaks": macro_f1(p.labels[clean], p.predicted[clean], p.k),
        "backbone": model["architecture"],
        "weights_source": model["weights_source"],
        "data_source": run.read_json("data.json").get("source"),
        "resolution": plan.recipe.resolution,
        "seed": study.seed,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": rounded(context.seconds),
    }


def leaked_rows(run: Run) -> NDArray[np.int64]:
    """Rows of test that have a copy among the training images."""
    dropped = run.evidence()["split_dropped"].frame
    return dropped.filter(dropped["twin_split"] == "test")["twin_index"].drop_nulls().unique().to_numpy()


def save_tables(run: Run, **tables: Table) -> None:
    """Add tables to the run; a name that an interrupted stage already wrote is written anew."""
    run.save_evidence(Evidence(tables))


def tell_epoch(tell: Tell, epoch: Epoch) -> None:
    """One line an epoch."""
    tell(
        f"{epoch.phase:>8} epoch {epoch.epoch:.2f}: loss {epoch.train_loss:.3f}, "
        f"validation macro-F1 {epoch.val_macro_f1:.3f} ({epoch.seconds:.0f} s)"
    )


def peak_rss_mb() -> float:
    """Resident memory of this process at its peak, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Seconds to a tenth."""
    return {name: round(value, 1) for name, value in values.items()}


def environment() -> dict[str, Any]:
    """Versions, processor, threads and accelerator, as they stand in environment.json."""
    names = ("torch", "timm", "numpy", "scikit-learn", "polars", "albumentations", "deepsight-forensics")
    return {
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def processor() -> str:
    """The processor's own name for itself."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
