"""Runs one arm with one seed: train it, predict validation, store the result."""

import hashlib
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, TransientError
from deepsight.core.recipe import Recipe
from deepsight.model.training.training_state import val_logits
from deepsight.treat.treatments.base import Treatment
from deepsight.treat.trial.checkpoints import Checkpoints, arm_training, fill_views, train_arm
from deepsight.treat.trial.store import ArmResult, Store


def run_arm(
    treatment: Treatment,
    recipe: Recipe,
    train: Dataset,
    steps: int,
    *,
    checkpoints: Checkpoints,
    store: Store,
) -> ArmResult:
    """The result of a treatment with the recipe's seed, from the store or newly trained.

    A non-finite loss or an invalid image is a result too, and is stored. Lack of memory or a full disk ends
    only this attempt, since it may pass. Any other error is a bug and is raised.
    """
    data, changed = treatment.apply(train, recipe)
    key = arm_key(treatment, changed, data, steps)
    found = store.load(treatment.name, recipe.seed, key)
    if found is not None:
        return found
    passing = False
    nothing = np.empty((0, train.k), dtype=np.float32)
    outcome = ArmResult(treatment.name, recipe.seed, nothing, steps, 0.0)
    began = time.perf_counter()
    try:
        arm = arm_training(
            checkpoints.at(treatment.backbone, changed.resolution), train, data, changed, steps
        )
        fill_views(arm)
        began = time.perf_counter()  # the checkpoint and the views are shared by all seeds
        train_arm(arm)
        outcome = replace(outcome, logits=finite_logits(val_logits(arm).numpy()))
        store.save_weights(treatment.name, recipe.seed, arm)
    except (DeepSightError, MemoryError, RuntimeError) as error:
        passing = not isinstance(error, DeepSightError) or isinstance(error, TransientError)
        outcome = replace(outcome, failed=failure_reason(error))
    outcome = replace(outcome, seconds=time.perf_counter() - began)
    if not passing:
        store.save(outcome, key)
    return outcome


def finite_logits(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits as float32.

    Raises:
        DeepSightError: one of them is not finite.
    """
    if not np.isfinite(logits).all():
        raise DeepSightError("Expected finite logits, received NaN or infinity. Lower the learning rate.")
    return logits.astype(np.float32)


def failure_reason(error: Exception) -> str:
    """Why an arm failed, in words; unexpected errors are raised."""
    if isinstance(error, DeepSightError):
        return str(error)
    text = str(error).lower()
    if isinstance(error, MemoryError) or "memory" in text:
        return "It ran out of memory. Lower the resolution or the batch."
    raise error


def arm_key(treatment: Treatment, recipe: Recipe, data: Dataset, steps: int) -> str:
    """A digest of everything that defines an arm."""
    digest = hashlib.sha256(repr((recipe.digest(), treatment.backbone, steps, data.source)).encode())
    digest.update(data.ids.tobytes())
    digest.update(data.labels.tobytes())
    return digest.hexdigest()[:16]
