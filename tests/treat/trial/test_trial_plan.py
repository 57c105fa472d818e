"""Plans keep to the budget; they give up fidelity before treatments, and say so."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightning_fabric import Fabric

from deepsight.core.dataset import Splits
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.recipe import Recipe
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.hardware.throughput import Throughput
from deepsight.model.pretrained import Pretrained
from deepsight.treat.treatments import capacity, hard_examples, mixing, weighted_loss
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial import trial_plan
from deepsight.treat.trial.checkpoints import TrialConfig
from deepsight.treat.trial.cost_model import Demand, TrialSize, predict_seconds
from deepsight.treat.trial.stored_plan import stored_or_new_plan
from deepsight.treat.trial.trial_plan import (
    TrialPlan,
    cheaper_recipes,
    fit_trial_plan,
    new_trial_plan,
    recipe_difference,
    step_choices,
    trial_plan_sentence,
)
from made_arms import dataset
from made_demands import CONTROL as CONTROL_DEMAND
from made_demands import DEMANDS, SIZE, known_speeds

RECIPE = Recipe(resolution=128, epochs=3.0, views=3)
DEEPER = Treatment("deeper_backbone", "model error", CONTROL.change, backbone="big")
ARMS = [
    mixing.cutmix_treatment(), mixing.mixup_treatment(), hard_examples.hard_examples_treatment([(0, 1)]),
    weighted_loss.weighted_loss_treatment("weighted_loss", np.ones(3), [0]),
]  # fmt: skip


def missing(backbone: str) -> Pretrained:
    if backbone:
        raise DeepSightError(f"Expected the weights of {backbone}. Install it.")
    return None  # type: ignore[return-value]


def speeds(
    network: None, pretrained: Pretrained, base: Recipe, sides: Sequence[int]
) -> dict[int, Throughput]:
    """About what two cores do: twice as fast where one reduction is trained, and by the area."""
    factor = {2: 1.0, 1: 2.0}[base.trained_reductions]
    return {
        side: Throughput(
            500 * area / factor, 500 * area / factor, 520 * area * factor, 150 * area * factor, 20_000, 4
        )
        for side, area in ((side, (128 / side) ** 2) for side in sides)
    }


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrialConfig:
    monkeypatch.setattr(trial_plan, "fused_copy", lambda *_, **__: None)  # there are no weights to fold
    monkeypatch.setattr(trial_plan, "measured_throughput", speeds)
    monkeypatch.setattr(
        trial_plan, "trial_size", lambda splits, recipe: TrialSize(3378, 5000, 10_000, 128, 3, 3.0)
    )
    labels = np.repeat(np.arange(3), 20).astype(np.int64)
    parts = [
        dataset(labels, first_id=100 * i, source=name) for i, name in enumerate(("train", "val", "test"))
    ]
    fabric = Fabric(accelerator="cpu", devices=1)
    return TrialConfig(Splits(*parts), RECIPE, missing, FeatureCache(tmp_path), fabric)


def plan(
    config: TrialConfig, minutes: float, min_treatments: int = 4, arms: Sequence[Treatment] = ARMS
) -> TrialPlan:
    return new_trial_plan(config, arms, minutes * 60, 5, min_treatments)


def test_ways_go_from_the_runs_own_training_to_ever_cheaper_ones() -> None:
    found = [(recipe.resolution, recipe.trained_reductions) for recipe in cheaper_recipes(RECIPE)]
    assert found == [(128, 2), (128, 1), (96, 1), (64, 1)]
    assert cheaper_recipes(replace(RECIPE, resolution=64, trained_reductions=1)) == [
        replace(RECIPE, resolution=64, trained_reductions=1)
    ]


def test_with_much_time_arms_train_as_the_run_does(config: TrialConfig) -> None:
    found = plan(config, 60)
    assert (found.resolution, found.trained_reductions) == (128, 2)
    assert recipe_difference(found, RECIPE) == "The arms train as the run does."


def test_with_twenty_minutes_four_treatments_fit_with_less_of_the_network(config: TrialConfig) -> None:
    found = plan(config, 17)
    assert (found.resolution, found.trained_reductions) == (128, 1)
    assert list(found.steps) == ["control", *(arm.name for arm in ARMS)]
    assert "train only the last stage (the run: the last 2 stages)" in trial_plan_sentence(found, RECIPE)
    assert "px" not in recipe_difference(found, RECIPE)


def test_with_less_time_the_resolution_goes_too(config: TrialConfig) -> None:
    found = plan(config, 6)
    assert (found.resolution, found.trained_reductions) == (64, 1)
    assert len(found.steps) == 5
    assert "use 64 px (the run: 128)" in recipe_difference(found, RECIPE)


def test_a_higher_resolution_is_not_asked_of_a_lower_one(config: TrialConfig) -> None:
    arms = [capacity.higher_resolution_treatment(), *ARMS]
    assert "higher_resolution" in plan(config, 60, arms=arms).steps
    low = plan(config, 6, arms=arms)
    assert "64 px" in low.left_out["higher_resolution"]
    assert list(low.steps)[1:] == [arm.name for arm in ARMS]


def test_fewer_that_are_enough_are_trained_as_the_run_does(config: TrialConfig) -> None:
    assert plan(config, 17, min_treatments=1).trained_reductions == 2
    assert plan(config, 17, min_treatments=1).left_out


def test_what_cannot_be_loaded_is_left_out_and_not_waited_for(config: TrialConfig) -> None:
    found = plan(config, 60, min_treatments=5, arms=[DEEPER, *ARMS])
    assert found.left_out == {"deeper_backbone": "Expected the weights of big. Install it."}
    assert found.trained_reductions == 2


def test_a_plan_is_kept_for_the_same_request_alone(config: TrialConfig, tmp_path: Path) -> None:
    first = stored_or_new_plan(config, ARMS, tmp_path, 1020, 5, 4)
    kept = stored_or_new_plan(
        replace(config, load=lambda _: pytest.fail("it was planned again")), ARMS, tmp_path, 1020, 5, 4
    )
    assert kept == first
    assert stored_or_new_plan(config, ARMS, tmp_path, 1020, 5, 1) != first


def fitted(demands: Sequence[Demand], budget: float) -> TrialPlan:
    return fit_trial_plan(CONTROL_DEMAND, demands, known_speeds, SIZE, budget=budget, seeds=5)


@pytest.mark.slow
@given(st.floats(120, 20_000))
def test_a_plan_fits_its_budget(budget: float) -> None:
    try:
        found = fitted(DEMANDS, budget)
    except UsageError:
        least = [CONTROL_DEMAND, DEMANDS[0]], min(step_choices(SIZE))
        assert predict_seconds(*least, known_speeds, SIZE, 5) > budget
        return
    assert found.seconds <= budget
    assert list(found.steps) == ["control", *[d.name for d in DEMANDS]][: len(found.steps)]
    assert [*list(found.steps)[1:], *found.left_out] == [d.name for d in DEMANDS]


def test_twenty_minutes_hold_four_treatments_and_five_seeds() -> None:
    found = fitted(DEMANDS[:4], 1020)
    assert len(found.steps) == 5
    assert not found.left_out


def test_more_time_never_gives_less() -> None:
    plans = [fitted(DEMANDS, budget) for budget in (600, 1200, 2400, 9000)]
    sizes = [(len(p.steps), p.steps["control"]) for p in plans]
    assert sizes == sorted(sizes)


def test_a_budget_for_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="more minutes"):
        fitted(DEMANDS, 5)
