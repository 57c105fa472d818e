"""A model that somebody else made: examined from its answers, with a planted confusion to be found."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.workflows.examine_external import examine, predict, unit_range


def with_planted_confusion(labels: np.ndarray, *, k: int, seed: int = 0) -> np.ndarray:
    """Logits of a model that guesses one in five, and takes a third of class 3 for class 5."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(len(labels)) < 0.2, rng.integers(0, k, len(labels)), labels)
    cats = np.flatnonzero(labels == 3)
    said[rng.permutation(cats)[: len(cats) // 3]] = 5
    logits = rng.normal(0, 0.3, (len(labels), k))
    logits[np.arange(len(labels)), said] += 4
    return logits.astype(np.float32)


@pytest.fixture(scope="module")
def few(cifar10: tuple[Dataset, Dataset]) -> Dataset:
    """Six hundred real test images."""
    return cifar10[1].select(np.arange(600))


def test_the_planted_confusion_is_the_one_flagged(few: Dataset) -> None:
    features = np.random.default_rng(1).normal(size=(len(few), 16)).astype(np.float32)
    answers = Predictions(few.ids, few.labels, with_planted_confusion(few.labels, k=10), features)
    found = examine(answers, few).evidence
    flagged = found["confusion_pairs"].frame.filter(pl.col("flagged"))
    assert flagged.select("true", "predicted").rows() == [("cat", "dog")]
    assert len(found["ledger"].frame) == int((answers.labels != answers.predicted).sum())


def test_a_module_is_asked_about_every_image(few: Dataset) -> None:
    class Brightness(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean((1, 2, 3))[:, None] * torch.arange(10.0)

    module = Brightness().train()
    answers = predict(module, few, unit_range, batch=256)
    brightness = few.pixels().astype(np.float64).mean(axis=(1, 2, 3)) / 255
    np.testing.assert_allclose(answers.logits, brightness[:, None] * np.arange(10), rtol=1e-5)
    assert module.training
    assert answers.features.shape == (600, 0)
