"""A whole trial of the head alone on real rows: it resumes, reports failures, and opens test once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from deepsight.core.dataset import Dataset, Splits, positions_of_ids
from deepsight.core.errors import DeepSightError, TransientError
from deepsight.core.recipe import Recipe
from deepsight.core.stop import Stopped
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import Pretrained, load_pretrained
from deepsight.model.training.training_state import Training, val_logits
from deepsight.treat.treatments import capacity, combination, hard_examples, mixing, weighted_loss
from deepsight.treat.treatments.base import CONTROL, Treatment, recipe_change
from deepsight.treat.trial import arm as arms
from deepsight.treat.trial.arm import run_arm
from deepsight.treat.trial.checkpoints import Checkpoints, TrialConfig, arm_training, train_arm
from deepsight.treat.trial.final_test import predict_test
from deepsight.treat.trial.leakage_effect import Leakage
from deepsight.treat.trial.results import trial_findings
from deepsight.treat.trial.runner import (
    arm_runner,
    combination_of_helpful,
    judge_arms,
    leakage_of_trial,
    run_trial,
    seeded,
)
from deepsight.treat.trial.schedule import TrialResults, run_arms
from deepsight.treat.trial.store import ArmResult, Store
from deepsight.treat.trial.trial_plan import TrialPlan
from deepsight.treat.trial.verdicts import Judgement, judge_treatment
from made_arms import dataset, noisy

RECIPE = Recipe(resolution=32, batch=32, epochs=2.0, views=2, trained_reductions=0)


@pytest.fixture(scope="module")
def checkpoints(cifar10: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    train, test = cifar10
    splits = Splits(
        train.select(np.arange(160)), train.select(np.arange(1000, 1100)), test.select(np.arange(60))
    )
    backbone = load_pretrained("tf_efficientnet_lite0")

    def packaged(name: str) -> Pretrained:
        if name:
            raise DeepSightError(f"Expected the weights of {name}, found none.")
        return backbone

    return Checkpoints(
        TrialConfig(
            splits,
            RECIPE,
            packaged,
            FeatureCache(tmp_path_factory.mktemp("features")),
            Fabric(accelerator="cpu", devices=1),
        )
    )


def steps(names: Sequence[str], count: int = 5) -> TrialPlan:
    return TrialPlan(rows=160, seeds=2, steps=dict.fromkeys(names, count))


def test_an_arm_without_steps_to_speak_of_is_the_start(checkpoints: Checkpoints) -> None:
    """With a learning rate of nearly nothing the arm predicts what the frozen phase does."""
    train = checkpoints.config.splits.train
    start = checkpoints.at("", 32)
    before = val_logits(start).numpy()
    arm = arm_training(start, train, train, replace(RECIPE, learning_rate=1e-12), 3)
    train_arm(arm)
    assert val_logits(arm).numpy() == pytest.approx(before, abs=1e-4)
    assert np.array_equal(val_logits(start).numpy(), before)


def test_training_an_arm_leaves_the_start_as_it_is(checkpoints: Checkpoints) -> None:
    train, start = checkpoints.config.splits.train, checkpoints.at("", 32)
    before = val_logits(start).numpy()
    arm = arm_training(start, train, train, replace(RECIPE, learning_rate=0.01), 5)
    train_arm(arm)
    assert np.array_equal(val_logits(start).numpy(), before)
    assert np.abs(val_logits(arm).numpy() - before).max() > 0.01


def test_rows_keep_their_views_when_others_are_dropped(checkpoints: Checkpoints) -> None:
    train, start = checkpoints.config.splits.train, checkpoints.at("", 32)
    part = train.select(np.array([150, 3, 7]))
    assert positions_of_ids(train.ids, part.ids).tolist() == [150, 3, 7]
    few = train.select(np.arange(10, 60))
    arm = arm_training(start, train, few, RECIPE, 2)
    assert torch.equal(arm.views.batch(1, np.array([0, 4])), start.views.batch(1, np.array([10, 14])))


def test_too_few_rows_for_a_batch_are_refused(checkpoints: Checkpoints) -> None:
    train = checkpoints.config.splits.train
    with pytest.raises(DeepSightError, match="at least a batch"):
        arm_training(checkpoints.at("", 32), train, train.select(np.arange(10)), RECIPE, 2)


def test_a_stored_arm_is_not_trained_again(checkpoints: Checkpoints, tmp_path: Path) -> None:
    train, store = checkpoints.config.splits.train, Store(tmp_path)
    first = run_arm(mixing.cutmix_treatment(), RECIPE, train, 3, checkpoints=checkpoints, store=store)
    nothing = Checkpoints(replace(checkpoints.config, load=lambda _: pytest.fail("it was trained again")))
    again = run_arm(mixing.cutmix_treatment(), RECIPE, train, 3, checkpoints=nothing, store=store)
    assert np.array_equal(first.logits, again.logits)
    assert again.seconds == first.seconds


@pytest.mark.parametrize(
    "treatment",
    [
        mixing.mixup_treatment(mix_on="images"),
        mixing.cutmix_treatment(mix_on="images"),
        hard_examples.hard_examples_treatment([(3, 5)]),
        weighted_loss.weighted_loss_treatment("weighted_loss", np.arange(1.0, 11.0), [9]),
        capacity.higher_resolution_treatment(),
        Treatment("fewer", "none", lambda train, recipe: (train.select(np.arange(40, 120)), recipe)),
        combination.combined_treatment(
            [
                Treatment("fewer", "none", lambda train, recipe: (train.select(np.arange(99)), recipe)),
                mixing.mixup_treatment(mix_on="images"),
            ]
        ),
    ],
    ids=lambda t: t.name,
)
def test_every_kind_of_arm_trains_and_differs_from_the_control(
    checkpoints: Checkpoints, tmp_path: Path, treatment: Treatment
) -> None:
    train, store = checkpoints.config.splits.train, Store(tmp_path)
    control = run_arm(CONTROL, RECIPE, train, 12, checkpoints=checkpoints, store=store)
    arm = run_arm(treatment, RECIPE, train, 12, checkpoints=checkpoints, store=store)
    assert not arm.failed
    assert arm.logits.shape == control.logits.shape
    assert not np.array_equal(arm.logits, control.logits)


def two_that_help() -> list[Judgement]:
    labels = np.repeat(np.arange(3), 100).astype(np.int64)
    control = np.stack([noisy(labels, [0.4] * 3, s) for s in range(5)])
    better = np.stack([noisy(labels, [0.1] * 3, s) for s in range(5)])
    arms = [
        mixing.cutmix_treatment(),
        mixing.mixup_treatment(),
        hard_examples.hard_examples_treatment([(0, 1)]),
    ]
    return [judge_treatment(t, labels, control, better, 3, level=0.95) for t in arms]


def test_two_that_helped_are_combined() -> None:
    judged = two_that_help()
    together = combination_of_helpful(judged)
    assert together is not None
    assert together.apply(dataset(np.repeat(np.arange(3), 9).astype(np.int64)), RECIPE)[1].confused == (
        (0, 1),
    )
    assert combination_of_helpful(judged[:1]) is None
    assert combination_of_helpful(judged[:2]) is None  # a recipe has one way of mixing


def test_a_combination_without_time_is_said_to_be_left_out() -> None:
    results = TrialResults({"control": []}, {}, {"mixup": "late"}).without("combination", "no time")
    assert results.left_out == {"mixup": "late", "combination": "no time"}


def test_another_recipe_or_other_data_are_trained_anew(checkpoints: Checkpoints, tmp_path: Path) -> None:
    train, store = checkpoints.config.splits.train, Store(tmp_path)
    first = run_arm(CONTROL, RECIPE, train, 3, checkpoints=checkpoints, store=store)
    longer = run_arm(CONTROL, RECIPE, train, 6, checkpoints=checkpoints, store=store)
    shifted = train.with_labels((train.labels + 1) % 10)
    other = run_arm(CONTROL, RECIPE, shifted, 3, checkpoints=checkpoints, store=store)
    assert not np.array_equal(first.logits, longer.logits)
    assert not np.array_equal(first.logits, other.logits)


def test_the_same_seed_gives_the_same_arm(checkpoints: Checkpoints, tmp_path: Path) -> None:
    train = checkpoints.config.splits.train
    one, two = (
        run_arm(
            mixing.mixup_treatment(), RECIPE, train, 4, checkpoints=checkpoints, store=Store(tmp_path / name)
        )
        for name in ("a", "b")
    )
    other = run_arm(
        mixing.mixup_treatment(), seeded(RECIPE, 5), train, 4, checkpoints=checkpoints, store=Store(tmp_path)
    )
    assert np.array_equal(one.logits, two.logits)
    assert not np.array_equal(one.logits, other.logits)


def test_a_diverging_arm_fails_alone(checkpoints: Checkpoints, tmp_path: Path) -> None:
    wild = Treatment("wild", "none", recipe_change(learning_rate=1e30))
    arms = [wild, mixing.cutmix_treatment()]
    run_one = arm_runner(steps(["control", "wild", "cutmix"]), checkpoints, Store(tmp_path), lambda _: None)
    results = run_arms(arms, 2, run_one, lambda: 1e9)
    assert "finite" in results.failed["wild"]
    found = trial_findings(
        judge_arms(arms, results, checkpoints.config),
        results,
        steps(["control"]),
        checkpoints,
        Store(tmp_path),
    )
    table = found.evidence["treatment_arms"].frame
    assert table.filter(name="wild")["status"].to_list() == ["failed"]
    assert found.evidence["treatments"].frame["name"].to_list() == ["cutmix"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA error: out of memory")])
def test_an_arm_without_memory_fails_alone(
    checkpoints: Checkpoints, tmp_path: Path, error: Exception
) -> None:
    def hungry(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return train, replace(recipe, resolution=64)

    def no_room(backbone: str) -> Pretrained:
        raise error

    full = Checkpoints(replace(checkpoints.config, load=no_room), {("", 32): checkpoints.at("", 32)})
    arms = [Treatment("hungry", "none", hungry), mixing.cutmix_treatment()]
    run_one = arm_runner(steps(["control", "hungry", "cutmix"]), full, Store(tmp_path), lambda _: None)
    results = run_arms(arms, 2, run_one, lambda: 1e9)
    assert results.failed == {"hungry": "It ran out of memory. Lower the resolution or the batch."}
    assert list(results.outcomes) == ["control", "cutmix"]
    assert not list(tmp_path.glob("hungry*"))  # the next trial tries it again


@pytest.mark.parametrize("name", ["control-0.npz", "control-0.safetensors"])
def test_an_arm_whose_files_are_damaged_is_trained_again(
    checkpoints: Checkpoints, tmp_path: Path, name: str
) -> None:
    store, train = Store(tmp_path), checkpoints.config.splits.train
    first = run_arm(CONTROL, RECIPE, train, 2, checkpoints=checkpoints, store=store)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    again = run_arm(CONTROL, RECIPE, train, 2, checkpoints=checkpoints, store=store)
    assert again.seconds != first.seconds
    np.testing.assert_array_equal(again.logits, first.logits)
    stored = run_arm(CONTROL, RECIPE, train, 2, checkpoints=checkpoints, store=store)
    assert stored.seconds == again.seconds


def test_a_full_disk_is_no_result(
    checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(arm: Training) -> None:
        raise TransientError("No space left on device")

    train, store = checkpoints.config.splits.train, Store(tmp_path)
    monkeypatch.setattr(arms, "train_arm", full)
    assert run_arm(CONTROL, RECIPE, train, 2, checkpoints=checkpoints, store=store).failed
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert not run_arm(CONTROL, RECIPE, train, 2, checkpoints=checkpoints, store=store).failed


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Stopped(15)])
def test_an_arm_that_was_stopped_did_not_fail(
    checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    """Ctrl-C in the middle of a training leaves no outcome, so that the next trial trains the arm."""

    def stopped(arm: Training) -> None:
        raise stop

    train, store = checkpoints.config.splits.train, Store(tmp_path)
    monkeypatch.setattr(arms, "train_arm", stopped)
    with pytest.raises(type(stop)):
        run_arm(CONTROL, RECIPE, train, 2, checkpoints=checkpoints, store=store)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert not run_arm(CONTROL, RECIPE, train, 2, checkpoints=checkpoints, store=store).failed


def test_an_interrupted_trial_trains_only_what_is_missing(checkpoints: Checkpoints, tmp_path: Path) -> None:
    """Stopped in the middle of the fourth of six arms: three are read again, three are trained."""
    trained: list[str] = []

    def counted(name: str, stop_at: int) -> Treatment:
        def change(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
            if len(trained) == stop_at:
                raise KeyboardInterrupt
            return train, recipe

        return Treatment(name, "none", change)

    def trial(stop_at: int) -> TrialResults:
        plan, arms = steps(["control", "a", "b"], 2), [counted("a", stop_at), counted("b", stop_at)]
        run_one = arm_runner(plan, checkpoints, Store(tmp_path), trained.append)
        return run_arms(arms, 2, run_one, lambda: 1e9)

    with pytest.raises(KeyboardInterrupt):
        trial(4)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert {path.stem for path in before} == {"control-0", "a-0", "b-0", "control-1"}
    results = trial(-1)
    assert {name: len(found) for name, found in results.outcomes.items()} == {"control": 2, "a": 2, "b": 2}
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_defect_is_not_called_a_failure(checkpoints: Checkpoints, tmp_path: Path) -> None:
    def broken(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return train, replace(recipe, class_weights=(1.0, 1.0))

    defect = Treatment("defect", "none", broken)
    with pytest.raises(RuntimeError, match="weight"):
        run_arm(
            defect, RECIPE, checkpoints.config.splits.train, 2, checkpoints=checkpoints, store=Store(tmp_path)
        )


def test_stored_weights_give_the_validation_predictions_back(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    """The final test predicts with what was stored; put validation in the place of test to compare."""
    splits = checkpoints.config.splits
    twin = replace(splits, test=replace(splits.validation, source="other"))
    again = Checkpoints(replace(checkpoints.config, splits=twin))
    store = Store(tmp_path)
    outcome = run_arm(CONTROL, seeded(RECIPE, 0), splits.train, 4, checkpoints=checkpoints, store=store)
    opened = predict_test(CONTROL, 1, again, store)[0]
    assert opened.logits == pytest.approx(outcome.logits, abs=1e-3)


def test_study_end_to_end_and_resumed(
    checkpoints: Checkpoints, cifar10: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    lines: list[str] = []
    rows = cifar10[0].select(np.arange(300, 320))
    leakage = Leakage(rows, np.arange(20), checkpoints.config.splits.test.ids[:20], np.arange(20))
    arms = [
        mixing.cutmix_treatment(),
        Treatment("deeper", "model error", CONTROL.change, backbone="resnet50"),
    ]
    dials = {"folder": tmp_path, "minutes": 5, "seeds": 2, "leakage": leakage}
    first = run_trial(checkpoints.config, arms, **dials, log=lines.append)  # type: ignore[arg-type]
    frame = first.evidence["treatment_arms"].frame
    assert dict(frame.select("name", "status").iter_rows()) == {
        "control": "run", "cutmix": "run", "deeper": "left out",
    }  # fmt: skip
    again = run_trial(checkpoints.config, arms, **dials)  # type: ignore[arg-type]
    for name in ("treatments", "treatment_classes", "treatment_arms", "leakage_effect"):
        assert first.evidence[name].frame.equals(again.evidence[name].frame)
    assert any(line.startswith("cutmix, seed 1") for line in lines)
    assert first.evidence["leakage_effect"].frame["seeds"].to_list() == [2, 2]
    assert any(line.startswith("Leakage: 20 test images") for line in lines)


def test_leakage_that_there_is_no_time_for_is_said(checkpoints: Checkpoints, tmp_path: Path) -> None:
    test, train = checkpoints.config.splits.test, checkpoints.config.splits.train
    leakage = Leakage(train, np.arange(len(train)), test.ids, np.arange(len(test)))
    slow = ArmResult(CONTROL.name, 0, np.zeros((1, 10), dtype=np.float32), 60, 600.0)
    results, plan = TrialResults({CONTROL.name: [slow]}, {}, {}), steps([CONTROL.name], 60)
    lines: list[str] = []
    found = leakage_of_trial(checkpoints.config, leakage, results, plan, 60.0, tmp_path, lines.append)
    assert found is None
    assert "was not measured" in lines[0]


def test_another_trial_in_the_folder_trains_what_was_removed(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    store, train = Store(tmp_path), checkpoints.config.splits.train
    for name in ("a", "b"):
        run_arm(replace(CONTROL, name=name), RECIPE, train, 2, checkpoints=checkpoints, store=store)
    store.drop_weights({"a"})
    with pytest.raises(DeepSightError, match="deleted them"):
        store.load_weights("b", 0)
    store.forget_without_weights()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-0.npz", "a-0.safetensors"]


def test_test_stays_closed_without_a_winner_and_opens_for_one(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    """A control that was made bad: the treatment that undoes it wins, and is compared on test."""
    train = checkpoints.config.splits.train
    rng = np.random.default_rng(0)
    spoiled = train.with_labels(rng.permutation(train.labels))
    bad = Checkpoints(replace(checkpoints.config, splits=replace(checkpoints.config.splits, train=spoiled)))

    def heal(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return data.with_labels(train.labels[positions_of_ids(train.ids, data.ids)]), replace(
            recipe, learning_rate=0.02
        )

    arms = [Treatment("heal", "label error", heal), Treatment("nothing", "none", CONTROL.change)]
    store, plan = Store(tmp_path), steps(["control", "heal", "nothing"], 40)
    results = run_arms(arms, 2, arm_runner(plan, bad, store, lambda _: None), lambda: 1e9)
    found = trial_findings(judge_arms(arms, results, bad.config), results, plan, bad, store)
    assert found.winner is not None
    assert found.winner.name == "heal"
    table = found.evidence["treatment_test"].frame
    assert table["test"].to_list() == ["McNemar", "McNemar", "two-way clustered"]
    assert table["difference"].min() > 0
    assert found.best is not None
    assert len(found.best) == 60
    assert not store.weights("nothing", 0).exists()
    alone = TrialResults({name: results.outcomes[name] for name in ("control", "nothing")}, {}, {})
    closed = trial_findings(judge_arms(arms[1:], alone, bad.config), alone, plan, bad, store)
    assert closed.winner is None
    assert "treatment_test" not in closed.evidence
