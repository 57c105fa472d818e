"""Finished arms on disk, so that a trial resumes arm by arm."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save

from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import atomic_path, file_digest, read_npz, write_npz
from deepsight.model.training.training_state import Training


@dataclass(frozen=True)
class ArmResult:
    """The result of one arm with one seed.

    Attributes:
        name: of the treatment.
        seed: of its training.
        logits: float32 (n, k), on the validation images; no rows if it failed.
        steps: of the optimiser.
        seconds: of training and prediction, without the checkpoint and the cached views.
        failed: why there is no result; empty if there is one.
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
    """The folder `treatments` of a run: one .npz file per finished arm, its trained weights beside it."""

    folder: Path

    def load(self, name: str, seed: int, key: str) -> ArmResult | None:
        """The stored arm, if it and its weights are undamaged and it has the same data, recipe and steps."""
        file = read_npz(self.folder / f"{name}-{seed}.npz")
        if file is None or str(file.get("key")) != key or not self.has_its_weights(name, seed, file):
            return None
        steps, seconds, failed = int(file["steps"]), float(file["seconds"]), str(file["failed"])
        return ArmResult(name, seed, file["logits"], steps, seconds, failed)

    def has_its_weights(self, name: str, seed: int, file: Mapping[str, NDArray[Any]]) -> bool:
        """Whether the weights beside an arm are those that it stored; earlier versions stored no digest.

        Missing weights were deleted on purpose; `load_weights` reports it if they are needed.
        """
        path, known = self.weights(name, seed), str(file.get("weights", ""))
        return not known or not path.exists() or file_digest(path) == known

    def save(self, outcome: ArmResult, key: str) -> None:
        """Write an arm atomically."""
        write_npz(
            self.folder / f"{outcome.name}-{outcome.seed}.npz",
            key=np.array(key),
            logits=outcome.logits,
            steps=np.array(outcome.steps),
            seconds=np.array(outcome.seconds),
            failed=np.array(outcome.failed),
            weights=np.array(self.digest_of_weights(outcome)),
        )

    def digest_of_weights(self, outcome: ArmResult) -> str:
        """The digest of an arm's weights; empty if there are none."""
        path = self.weights(outcome.name, outcome.seed)
        return "" if outcome.failed or not path.exists() else file_digest(path)

    def save_weights(self, name: str, seed: int, arm: Training) -> None:
        """Keep the trained part for the final test."""
        state = {key: value.detach().cpu().contiguous() for key, value in arm.trainable.state_dict().items()}
        with atomic_path(self.weights(name, seed)) as path:
            path.write_bytes(save(state))  # a full disk is an OSError here; save_file would hide it

    def weights(self, name: str, seed: int) -> Path:
        """The file with the trained part of an arm."""
        return self.folder / f"{name}-{seed}.safetensors"

    def load_weights(self, name: str, seed: int) -> dict[str, torch.Tensor]:
        """The trained part of an arm.

        Raises:
            DeepSightError: an earlier trial in this folder deleted it.
        """
        path = self.weights(name, seed)
        if not path.exists():
            raise DeepSightError(
                f"Expected the weights of {name} in {path}, but an earlier trial deleted them. "
                f"Delete {self.folder} and try again."
            )
        return dict(load_file(path))

    def forget_without_weights(self) -> None:
        """Delete arms whose trained part an earlier trial deleted, so that they are trained again."""
        for path in self.folder.glob("*.npz"):
            if not path.with_suffix(".safetensors").exists():
                path.unlink()

    def drop_weights(self, names: set[str]) -> None:
        """Delete the trained parts of all other arms."""
        for path in self.folder.glob("*.safetensors"):
            if path.stem.rpartition("-")[0] not in names:
                path.unlink()
