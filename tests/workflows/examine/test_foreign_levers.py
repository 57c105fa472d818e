"""The levers of a model made elsewhere: without training data, and with heads on its own features."""

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.predictions import Predictions
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.levers.tools import Retraining
from deepsight.workflows.examine.foreign_levers import (
    LabelledFeatures,
    examine_foreign_levers,
    head_trainings,
)

K, D = 3, 8
CENTRES = np.random.default_rng(9).normal(0, 1, (K, D))


def made_split(n: int, seed: int, source: str) -> LabelledFeatures:
    """Clouds of features, and grey images whose brightness is unrelated to them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(K, size=n)
    pixels = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    data = Dataset(pixels, labels, ("a", "b", "c"), np.arange(n), source)
    return LabelledFeatures(data, (CENTRES[labels] + rng.normal(0, 1, (n, D))).astype(np.float32))


def examined(train: LabelledFeatures | None, seconds: float) -> Findings:
    test = made_split(120, 1, "test")
    logits = np.random.default_rng(2).normal(0, 1, (120, K)).astype(np.float32) + test.features @ CENTRES.T
    said = Predictions(test.data.ids, test.data.labels, logits.astype(np.float32), test.features)
    place = {image.tobytes(): row for image, row in zip(test.data.pixels(), logits, strict=True)}

    def predict(pixels: np.ndarray) -> np.ndarray:
        return np.stack([place.get(image.tobytes(), np.zeros(K)) for image in pixels])

    return examine_foreign_levers(
        ExaminationInputs(test.data, said), predict,
        train=train, seconds=seconds, image_seconds=1e-3, mask_seconds=1e-2,
    )  # fmt: skip


def test_without_training_data_the_levers_that_train_nothing_run() -> None:
    frame = examined(None, seconds=3.0).evidence["levers"].frame
    assert {"fragility", "placebo"} <= set(frame["group"])
    assert not {"variance", "data", "recipe"} & set(frame["group"])


def test_heads_on_its_own_features_stand_for_trainings() -> None:
    clean = made_split(300, 3, "train")
    wrong = np.random.default_rng(0).random(300) < 0.2
    labels = np.where(wrong, (clean.data.labels + 1) % K, clean.data.labels)
    spoilt = LabelledFeatures(clean.data.with_labels(labels), clean.features, wrong)
    found = examined(spoilt, seconds=6.0).evidence
    frame = found["levers"].frame
    assert {"variance", "data", "labels", "fragility"} <= set(frame["group"])
    assert "recipe" not in set(frame["group"])
    arms = frame.filter(frame["group"].is_in(["variance", "labels"]))["arm"].to_list()
    assert all("linear head on the model's features" in arm for arm in arms)
    assert {"lever_data", "lever_neighbourhoods", "lever_errors", "influence"} <= set(found)
    assert frame.filter(name="leaving out flagged labels")["net"][0] > 0


def test_a_head_is_fitted_to_the_rows_and_labels_that_are_asked_for() -> None:
    train, test = made_split(300, 3, "train"), made_split(200, 4, "test")
    labels = train.data.labels
    retrain = head_trainings(train.features, labels, test.features, K)
    everything = np.arange(300)
    right = (retrain(Retraining(everything, 0)).argmax(axis=1) == test.data.labels).mean()
    moved = retrain(Retraining(everything, 0, labels=(labels + 1) % K)).argmax(axis=1)
    assert right > 0.7
    assert (moved == (test.data.labels + 1) % K).mean() > 0.7
    assert np.array_equal(retrain(Retraining(everything[::-1].copy(), 0)), retrain(Retraining(everything, 0)))


def test_too_little_time_is_said() -> None:
    assert "The levers that train nothing take about" in examined(None, seconds=1e-3).refusals[0].reason


def test_features_of_other_images_are_refused() -> None:
    train = made_split(20, 0, "train")
    with pytest.raises(DeepSightError, match="20 training images"):
        LabelledFeatures(train.data, train.features[:5])
