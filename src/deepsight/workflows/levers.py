"""The levers of a run: changes that may reduce its errors, each tried against a control."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from deepsight.core.array_types import Ints, Pixels, Reals
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.evidence import Evidence
from deepsight.core.files.atomic import digest_of, file_digest, read_npz, write_npz
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.label_errors import flagged_in_training
from deepsight.interpret.levers.ledger import ledger_shares_with_levers, ledger_with_levers
from deepsight.interpret.levers.more_data.data_amount import MOST_TIMES
from deepsight.interpret.levers.runner import examine_levers
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.interpret.levers.tools import LeverTools, Retraining
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.hardware.multiplications import multiplications
from deepsight.model.preprocess import Preprocessing
from deepsight.model.training.retraining import Retrainer
from deepsight.obtain.cache import cache_folder
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.duplicates.repeated_rows import repeated_rows
from deepsight.treat.treatments.capacity import DEEPER
from deepsight.workflows.study_context import Context, fresh_backbone
from deepsight.workflows.trained_model import load_trained

FOLDER = "levers"


@dataclass(frozen=True)
class StoredTrainings:
    """Finished trainings of a run's levers on disk, so that an interrupted stage can be resumed.

    Attributes:
        folder: holds one .npz of logits per training.
        key: stands for the model and the examined images; part of each name.
    """

    folder: Path
    key: str

    def __call__(self, wanted: Retraining, train: Callable[[Retraining], Reals]) -> Reals:
        """The logits (m, k) of a training, from the store or newly trained and then stored."""
        name = self.name_of(wanted)
        path = self.folder / f"{name}.npz"
        stored = read_npz(path)
        if stored is not None and str(stored.get("name")) == name:
            return np.asarray(stored["logits"])
        logits = train(wanted)
        write_npz(path, logits=logits.astype(np.float32), name=np.array(name))
        return logits

    def name_of(self, wanted: Retraining) -> str:
        """A digest of everything that defines a training."""
        parts = (wanted.seed, wanted.part, wanted.passes, wanted.resolution, wanted.backbone, self.key)
        digest = hashlib.sha256(repr(parts).encode())
        for values in (wanted.rows, wanted.labels, wanted.pixels):
            digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]


def examine_run_levers(context: Context, inputs_of: Callable[[Context], ExaminationInputs]) -> None:
    """Try the levers of the plan, and add the causes that they find to the ledger."""
    sizes = context.plan.lever_sizes
    if not sizes:
        return
    with context.stage("levers"):
        wanted = sizes_of(sizes)
        found = examine_levers(inputs_of(context), lever_tools(context, wanted), wanted, log=context.log)
        context.run.save_pictures(found.pictures)
        ledger = context.run.evidence()["ledger"]
        if "lever_errors" in found.evidence:
            merged = ledger_with_levers(ledger, found.evidence["lever_errors"])
            context.run.save_evidence(
                Evidence({"ledger": merged, "ledger_shares": ledger_shares_with_levers(merged)})
            )
        context.run.save_evidence(found.evidence)  # last: it marks the stage as done


def sizes_of(named: Mapping[str, int]) -> LeverSizes:
    """The sizes that a plan stores by name.

    Raises:
        UsageError: a name is unknown.
    """
    known = [field.name for field in fields(LeverSizes)]
    odd = [name for name in named if name not in known]
    if odd:
        raise UsageError(f"Expected sizes of levers, received '{odd[0]}': {near_names(odd[0], known)}")
    return LeverSizes(**named)


def lever_tools(context: Context, sizes: LeverSizes) -> LeverTools:
    """The functions and data with which the levers retrain this run's model."""
    run, plan, splits = context.run, context.plan, context.splits
    predictor = load_trained(run)
    unused = unused_images(context) if sizes.unused_trainings else None
    deeper = available_backbone(context, DEEPER.get(plan.backbone.partition(".")[0], ""))

    def retrainer(rows: Ints) -> Retrainer:
        return Retrainer(
            predictor, splits, plan.recipe, splits.test.select(rows), partial(fresh_backbone, context),
            FeatureCache(cache_folder() / "trunk"), context.fabric, unused,
        )  # fmt: skip

    model = file_digest(run.file("model.safetensors"))  # stands for the data, the recipe and the backbone

    def retrain_of(rows: Ints) -> Callable[[Retraining], Reals]:
        own = retrainer(rows)
        stored = StoredTrainings(run.file(FOLDER), f"{model}/{digest_of(rows.tobytes())}")
        return lambda wanted: stored(wanted, partial(train_once, own))

    return LeverTools(
        predict=predictor.logits,
        retrainer=retrain_of,
        features=lambda rows: retrainer(np.arange(1)).features(rows),
        train_labels=splits.train.labels,
        train_ids=splits.train.ids,
        flagged=flagged_in_training(run.evidence(), splits.train.ids),
        resolution=plan.recipe.resolution,
        deeper=deeper,
        deeper_cost=relative_cost(context, deeper) if deeper else 1.0,
        unused=0 if unused is None else len(unused),
        enlarge=partial(stored_at_input_size, predictor.preprocessing),
    )


def stored_at_input_size(preprocessing: Preprocessing, pixels: Pixels) -> Pixels:
    """The images as the network resizes them, rounded to whole grey values, uint8 (m, side, side, 3)."""
    resized = preprocessing.resized(pixels).permute(0, 2, 3, 1).numpy()
    return np.asarray(np.rint(resized), dtype=np.uint8)


def unused_images(context: Context) -> Dataset:
    """The official training images that the plan left out, without near-duplicates of test and validation.

    At most as many as the levers can add to the training images.
    """
    run, splits = context.run, context.splits
    official = context.official["train"]
    known = [
        splits.train.ids,
        run.evidence()["split_dropped"].frame.filter(split="train")["index"].to_numpy(),
    ]
    if context.obtained.validation is None:
        known.append(splits.validation.ids)
    left = np.flatnonzero(~np.isin(official.ids, np.concatenate(known)))
    order = np.random.default_rng([context.study.seed, 20]).permutation(left)
    few = official.select(np.sort(order[: int((MOST_TIMES - 1) * len(splits.train))]))
    if not len(few):
        return few
    parts = {"train": few, "val": splits.validation, "test": splits.test}
    near = repeated_rows(find_duplicates(parts, seed=context.study.seed), of="train", within=("val", "test"))
    return few.select(np.flatnonzero(~np.isin(few.ids, near)))


def train_once(retrainer: Retrainer, wanted: Retraining) -> Reals:
    """Carry out the training that a lever asks for; the logits (m, k) of the examined images."""
    asked = wanted.in_order()
    if asked.part == "last stage":
        return retrainer.last_stage(
            asked.rows, asked.seed, passes=asked.passes, labels=asked.labels, pixels=asked.pixels
        )
    return retrainer.whole(
        asked.rows, asked.seed, passes=asked.passes, resolution=asked.resolution, backbone=asked.backbone,
        labels=asked.labels, pixels=asked.pixels,
    )  # fmt: skip


def relative_cost(context: Context, backbone: str) -> float:
    """Multiplications of another backbone over those of the run's own, for one image."""
    other, own = (
        multiplications(fresh_backbone(context, name).backbone, context.plan.recipe.resolution)
        for name in (backbone, "")
    )
    return other / own


def available_backbone(context: Context, name: str) -> str:
    """The name of a backbone if its weights are available, else an empty string."""
    if not name:
        return ""
    try:
        fresh_backbone(context, name)
    except DeepSightError:
        return ""
    return name
