"""What a foreign model's answers are compared with."""

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.workflows.examine import examination_inputs


def test_training_images_are_judged_by_a_reference_and_not_searched_for_their_own_copies(
    cifar10: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = cifar10[0].select(np.arange(40))
    asked: list[tuple[Dataset, Dataset]] = []

    def remembered(_: object, rows: Dataset, judged: Dataset, **__: object) -> None:
        asked.append((rows, judged))

    monkeypatch.setattr(examination_inputs, "train_reference", remembered)
    said = np.eye(10, dtype=np.float32)[train.labels]
    inputs, evidence = examination_inputs.inputs_of_predictions(
        train, Predictions(train.ids, train.labels, said, np.empty((40, 0))), train, 0, seconds=60
    )
    assert asked == [(train, train)]
    assert "duplicates" not in evidence
    assert not inputs.refusals
    assert inputs.train is None
