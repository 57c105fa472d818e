"""The reference model: trained on the data's own training part, never on the labels that it judges."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.model.plan_search import PlanCandidate
from deepsight.model.pretrained import load_pretrained
from deepsight.model.training.fit import fabric_of
from deepsight.workflows.examine import reference_model
from deepsight.workflows.examine.examination_inputs import reference_inputs
from deepsight.workflows.examine.independent_rows import TooFewIndependent, independent_halves
from deepsight.workflows.examine.reference_model import (
    Reference,
    ReferenceTrainer,
    train_reference,
    validation_count,
    validation_split,
)

ROWS = 240


@pytest.fixture(scope="module")
def trainer() -> ReferenceTrainer:
    plan = PlanCandidate(Recipe(resolution=64, epochs=1, views=1, batch=32), ROWS, {}, 0.0, 0.5, 1)
    return ReferenceTrainer(load_pretrained("tf_efficientnet_lite0"), plan, 0, fabric_of())


@pytest.fixture(scope="module")
def reference(trainer: ReferenceTrainer, cifar10: tuple[Dataset, Dataset]) -> Reference:
    train, test = cifar10
    return trainer.outside(train.select(np.arange(100, 400)), test.select(np.arange(60)))


def test_it_knows_more_than_chance_and_keeps_the_training_rows_that_it_saw(
    reference: Reference, cifar10: tuple[Dataset, Dataset]
) -> None:
    train, test = cifar10
    assert reference.probabilities.sum(axis=1) == pytest.approx(1)
    assert (reference.probabilities.argmax(axis=1) == test.labels[:60]).mean() > 0.3
    seen = reference.train
    assert seen is not None
    assert seen.features is not None
    assert np.isin(seen.ids, np.arange(100, 400)).all()
    assert np.array_equal(seen.labels, train.labels[seen.ids])
    assert reference.features["frozen"].shape == (60, seen.features.shape[1])
    assert reference.features["reference"].shape == (60, seen.features.shape[1])


def test_the_predictions_get_its_judgement_and_its_features(
    reference: Reference, cifar10: tuple[Dataset, Dataset]
) -> None:
    train, test = cifar10
    data = test.select(np.arange(60))
    said = Predictions(data.ids, data.labels, np.eye(10, dtype=np.float32)[data.labels], np.empty((60, 0)))
    inputs = reference_inputs(reference, data, said, train, 0)
    parts = inputs.label_parts()
    assert set(parts["test"].judges) == {"reference"}
    assert set(parts["test"].spaces()) == {"reference", "frozen"}  # those that stand in count once
    assert set(parts["train"].spaces()) == {"frozen"}
    assert inputs.predictions.features.shape[0] == 60


@dataclass
class FakeFrozen:
    """Says of every image which model it asked, and has no features but that."""

    def beside(self, predictor: int, data: Dataset, *, name: str) -> tuple[Predictions, np.ndarray]:
        logits = np.full((len(data), data.k), float(predictor), dtype=np.float32)
        logits[:, 0] += predictor
        return Predictions(data.ids, data.labels, logits, np.zeros((len(data), 1))), np.full(
            (len(data), 1), predictor, np.float32
        )


@dataclass
class FakeFitted:
    predictor: int


@dataclass(frozen=True)
class Recording(ReferenceTrainer):
    """Trains nothing, and remembers on which rows it should have."""

    seen: list[np.ndarray] = field(default_factory=list)

    def trained(  # type: ignore[override]
        self, train: Dataset, judged: Dataset
    ) -> tuple[FakeFrozen, FakeFitted, np.ndarray]:
        self.seen.append(train.ids)
        return FakeFrozen(), FakeFitted(len(self.seen)), np.arange(len(train))


def test_training_images_are_judged_by_the_model_of_the_other_half(
    trainer: ReferenceTrainer, cifar10: tuple[Dataset, Dataset]
) -> None:
    recording = Recording(trainer.pretrained, trainer.plan, 0, trainer.fabric)
    data = cifar10[0].select(np.arange(400))
    found = recording.by_halves(data, data)
    asked = found.features["frozen"][:, 0]
    for number, rows in enumerate(recording.seen, 1):
        assert not np.isin(data.ids[asked == number], rows).any()
    assert sorted(np.unique(asked)) == [1, 2]
    assert found.train is None


def test_no_group_is_judged_by_a_model_that_saw_it(
    trainer: ReferenceTrainer, cifar10: tuple[Dataset, Dataset]
) -> None:
    """Without groups, nearly every group of eight stands in both halves."""
    data = cifar10[0].select(np.arange(400))
    for groups in (np.arange(400) // 8, None):
        recording = Recording(trainer.pretrained, trainer.plan, 0, trainer.fabric)
        grouped = replace(data, groups=groups)
        asked = recording.by_halves(grouped, grouped).features["frozen"][:, 0]
        shared = [
            np.isin(data.ids[asked == number] // 8, rows // 8).mean()
            for number, rows in enumerate(recording.seen, 1)
        ]
        assert max(shared) == 0 if groups is not None else min(shared) > 0.9
        for rows in recording.seen:
            assert len(rows) == pytest.approx(200, abs=16)
            assert len(np.unique(data.labels[rows])) == 10


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        (np.where(np.arange(400) % 10 == 9, 0, 1 + np.arange(400) // 10), "images of truck into one half"),
        (np.zeros(400, dtype=np.int64), "No two halves .* of 1 groups"),
    ],
)
def test_a_class_in_one_group_leaves_no_halves(
    groups: np.ndarray, why: str, cifar10: tuple[Dataset, Dataset]
) -> None:
    data = replace(cifar10[0].select(np.arange(400)), labels=np.arange(400) % 10)
    with pytest.raises(TooFewIndependent, match=why):
        independent_halves(replace(data, groups=groups), 0)


def test_a_half_that_judges_nothing_is_not_trained(
    trainer: ReferenceTrainer, cifar10: tuple[Dataset, Dataset]
) -> None:
    recording = Recording(trainer.pretrained, trainer.plan, 0, trainer.fabric)
    data = cifar10[0].select(np.arange(400))
    found = recording.by_halves(data, data.select(np.array([7])))
    assert len(recording.seen) == 1
    assert 7 not in recording.seen[0]
    assert found.probabilities.shape == (1, 10)


def test_few_images_get_no_reference_model(cifar10: tuple[Dataset, Dataset]) -> None:
    train, test = cifar10
    few = train.select(np.arange(300))
    found = train_reference(
        load_pretrained("tf_efficientnet_lite0"), few, test.select(np.arange(20)), seconds=1e6, seed=0
    )
    assert found is None


def test_a_short_time_is_not_spent_on_measuring_the_machine(
    cifar10: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object) -> None:
        raise AssertionError("the machine was measured")

    monkeypatch.setattr(reference_model, "measured_throughput", measured)
    backbone, (train, test), said = load_pretrained("tf_efficientnet_lite0"), cifar10, list[str]()

    def trained(seconds: float) -> Reference | None:
        return train_reference(
            backbone, train, test.select(np.arange(20)), seconds=seconds, seed=0, log=said.append
        )

    assert trained(5.0) is None
    assert said == [reference_model.TOO_SHORT]
    with pytest.raises(AssertionError, match="measured"):
        trained(600.0)


def test_validation_is_small_and_never_empty() -> None:
    assert [validation_count(n) for n in (10, 400, 50_000)] == [1, 20, 500]


def test_no_group_trains_and_validates(cifar10: tuple[Dataset, Dataset]) -> None:
    data = cifar10[0].select(np.arange(400))
    kept, held = validation_split(replace(data, groups=np.arange(400) // 5), 0)
    assert not np.isin(kept // 5, held // 5).any()
    assert 10 <= len(held) <= validation_count(400)
    plain, few = validation_split(data, 0)
    order = np.random.default_rng([0, 21]).permutation(400)
    assert np.array_equal(np.concatenate([few, plain]), order)
    with pytest.raises(TooFewIndependent, match="two groups"):
        validation_split(replace(data, groups=np.zeros(400, np.int64)), 0)
