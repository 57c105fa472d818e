"""One arm with one seed: trained, predicted on validation, and stored, so that a trial resumes arm by arm."""

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, Interrupted
from deepsight.core.files import atomic_path, write_npz
from deepsight.core.recipe import Recipe
from deepsight.model.training_state import Training, val_logits
from deepsight.treat.treatments.base import Treatment
from deepsight.treat.trial.checkpoints import Starts, arm_of, fill_views, train_arm


@dataclass(frozen=True)
class ArmResult:
    """What an arm came to.

    Attributes:
        name: of the treatment.
        seed: of its training.
        logits: float32 (n, k), of the validation images; no rows where it failed.
        steps: of the optimiser.
        seconds: of training and prediction, without the making of the start and of cached views.
        failed: why there is no result; empty where there is one.
    """

    name: str
    seed: int
    logits: NDArray[np.float32]
    steps: int
    seconds: float
    failed: str = ""

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the largest logit, int64 (n,)."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class Store:
    """The folder `treatments` of a run: an .npz of each finished arm, and its trained weights beside it."""

    folder: Path

    def load(self, name: str, seed: int, key: str) -> ArmResult | None:
        """The stored arm, if it is there and was made of the same data, recipe and steps."""
        path = self.folder / f"{name}-{seed}.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            steps, seconds, failed = int(file["steps"]), float(file["seconds"]), str(file["failed"])
            return ArmResult(name, seed, file["logits"], steps, seconds, failed)

    def save(self, outcome: ArmResult, key: str) -> None:
        """Write an arm whole; only then does it count."""
        write_npz(
            self.folder / f"{outcome.name}-{outcome.seed}.npz",
            key=np.array(key),
            logits=outcome.logits,
            steps=np.array(outcome.steps),
            seconds=np.array(outcome.seconds),
            failed=np.array(outcome.failed),
        )

    def save_weights(self, name: str, seed: int, arm: Training) -> None:
        """Keep the trained part, for the opening of the test set."""
        state = {key: value.detach().cpu().contiguous() for key, value in arm.trainable.state_dict().items()}
        with atomic_path(self.weights(name, seed)) as path:
            save_file(state, path)

    def weights(self, name: str, seed: int) -> Path:
        """Where the trained part of an arm is."""
        return self.folder / f"{name}-{seed}.safetensors"

    def load_weights(self, name: str, seed: int) -> dict[str, torch.Tensor]:
        """The trained part of an arm.

        Raises:
            DeepSightError: an earlier trial in this folder removed it.
        """
        path = self.weights(name, seed)
        if not path.exists():
            raise DeepSightError(
                f"Expected the weights of {name} in {path}, but an earlier trial removed them. "
                f"Remove {self.folder} and try again."
            )
        return dict(load_file(path))

    def forget_without_weights(self) -> None:
        """Remove the arms of an earlier trial whose trained part is gone, so that they are trained anew."""
        for path in self.folder.glob("*.npz"):
            if not path.with_suffix(".safetensors").exists():
                path.unlink()

    def drop_weights(self, names: set[str]) -> None:
        """Remove the trained parts of all arms but these."""
        for path in self.folder.glob("*.safetensors"):
            if path.stem.rpartition("-")[0] not in names:
                path.unlink()


def run_arm(
    treatment: Treatment, recipe: Recipe, train: Dataset, steps: int, *, starts: Starts, store: Store
) -> ArmResult:
    """The outcome of a treatment under the recipe's seed, from the store where it is there.

    A loss that is not finite, an image that is not what it must be and a lack of memory are outcomes too;
    any other error is a defect and is raised.
    """
    data, changed = treatment.apply(train, recipe)
    key = key_of(treatment, changed, data, steps)
    found = store.load(treatment.name, recipe.seed, key)
    if found is not None:
        return found
    nothing = np.empty((0, train.k), dtype=np.float32)
    outcome = ArmResult(treatment.name, recipe.seed, nothing, steps, 0.0)
    began = time.perf_counter()
    try:
        arm = arm_of(starts.at(treatment.backbone, changed.resolution), train, data, changed, steps)
        fill_views(arm)
        began = time.perf_counter()  # the start and the views are made once and serve every seed
        train_arm(arm)
        outcome = replace(outcome, logits=finite(val_logits(arm).numpy()))
        store.save_weights(treatment.name, recipe.seed, arm)
    except Interrupted:
        raise
    except (DeepSightError, MemoryError, RuntimeError) as error:
        outcome = replace(outcome, failed=reason(error))
    outcome = replace(outcome, seconds=time.perf_counter() - began)
    store.save(outcome, key)
    return outcome


def finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """These logits, if every one is a number."""
    if not np.isfinite(logits).all():
        raise DeepSightError("Expected finite logits, received NaN or infinity. Lower the learning rate.")
    return logits.astype(np.float32)


def reason(error: Exception) -> str:
    """Why an arm failed, in words; an error that is none of the expected ones is raised."""
    if isinstance(error, DeepSightError):
        return str(error)
    text = str(error).lower()
    if isinstance(error, MemoryError) or "memory" in text:
        return "It ran out of memory. Lower the resolution or the batch."
    raise error


def key_of(treatment: Treatment, recipe: Recipe, data: Dataset, steps: int) -> str:
    """A digest of all that defines an arm."""
    digest = hashlib.sha256(repr((recipe.digest(), treatment.backbone, steps, data.source)).encode())
    digest.update(data.ids.tobytes())
    digest.update(data.labels.tobytes())
    return digest.hexdigest()[:16]
