"""Which rows are drawn and how maps are mixed, counted and by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepsight.core.recipe import Recipe
from deepsight.model.training.sampling import Mixing, draw_order, mixed, own_weight

LABELS = np.arange(1000) % 10
LOSSES = np.random.default_rng(0).random(1000)


def test_a_pass_takes_every_row_once_in_an_order_of_its_own():
    first, second = (draw_order(LABELS, LOSSES, Recipe(), e) for e in (0, 1))
    for order in (first, second):
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
        assert order.dtype == np.int64
    assert (first != second).any()
    np.testing.assert_array_equal(first, draw_order(LABELS, LOSSES, Recipe(), 0))
    assert (first != draw_order(LABELS, LOSSES, Recipe(seed=1), 0)).any()


def test_later_passes_take_the_rows_of_the_largest_loss_of_each_class():
    recipe = Recipe(hard_share=0.3, hard_after=2)
    assert len(draw_order(LABELS, LOSSES, recipe, 1)) == 1000
    hard = set(draw_order(LABELS, LOSSES, recipe, 2))
    for label in range(10):
        own = np.flatnonzero(label == LABELS)
        assert hard & set(own) == set(own[np.argsort(-LOSSES[own])[:30]])


def test_a_class_keeps_its_share_of_the_hard_rows_however_easy_it_is():
    losses = np.where(LABELS == 4, LOSSES / 100, LOSSES)
    labels = np.where(LABELS == 7, 0, LABELS)
    labels[7] = 7  # a class of one row
    hard = draw_order(labels, losses, Recipe(hard_share=0.25), 1)
    np.testing.assert_array_equal(np.bincount(labels[hard]), [50, 25, 25, 25, 25, 25, 25, 1, 25, 25])


def test_rows_that_were_never_seen_count_as_hard():
    losses = LOSSES.copy()
    losses[[3, 4]] = np.inf
    assert {3, 4} <= set(draw_order(LABELS, losses, Recipe(hard_share=0.01), 1))


def test_rows_of_confused_classes_are_drawn_more_often():
    recipe = Recipe(confused=((3, 5), (5, 3)), confused_boost=4.0)
    drawn = np.concatenate([draw_order(LABELS, LOSSES, recipe, e) for e in range(20)])
    share = np.isin(LABELS[drawn], [3, 5]).mean()
    assert share == pytest.approx(4 * 0.2 / (4 * 0.2 + 0.8), abs=0.01)
    assert len(draw_order(LABELS, LOSSES, recipe, 0)) == 1000


def test_the_class_that_another_is_taken_for_is_not_drawn_more_often():
    recipe = Recipe(confused=((3, 5),), confused_boost=4.0)
    drawn = np.concatenate([draw_order(LABELS, LOSSES, recipe, e) for e in range(20)])
    assert (LABELS[drawn] == 3).mean() == pytest.approx(4 / 13, abs=0.01)
    assert (LABELS[drawn] == 5).mean() == pytest.approx(1 / 13, abs=0.01)


def test_a_rare_confused_class_is_drawn_as_if_it_were_average():
    labels = np.repeat([0, 1, 2, 3], [100, 100, 100, 10])
    recipe = Recipe(confused=((2, 3), (3, 2)), confused_boost=2.0)
    drawn = np.concatenate([draw_order(labels, np.ones(310), recipe, e) for e in range(40)])
    mean = 310 / 4
    weights = np.array([100, 100, 2 * 100, 2 * mean])  # class 2 is not rare, class 3 is brought to the mean
    assert np.bincount(labels[drawn]) / len(drawn) == pytest.approx(weights / weights.sum(), abs=0.015)


def test_a_handful_of_rows_does_not_fill_the_batches():
    labels = np.repeat([0, 1, 2], [500, 500, 4])
    recipe = Recipe(confused=((2, 0),), confused_boost=2.0)
    drawn = np.concatenate([draw_order(labels, np.ones(1004), recipe, e) for e in range(20)])
    assert (labels[drawn] == 2).mean() == pytest.approx(2 * 8 * 4 / (1000 + 2 * 8 * 4), abs=0.01)


def maps(n: int = 6, side: int = 4) -> torch.Tensor:
    """Row i holds the value i everywhere, so that a mixture tells what it is made of."""
    return torch.arange(n, dtype=torch.float32)[:, None, None, None].expand(n, 2, side, side).clone()


def test_without_mixing_nothing_changes():
    out, partner, share = mixed(maps(), Recipe(), 0)
    torch.testing.assert_close(out, maps(), rtol=0, atol=0)
    assert (partner.tolist(), share) == ([0, 1, 2, 3, 4, 5], 1.0)


@pytest.mark.parametrize("step", range(8))
def test_mixup_is_the_weighted_mean_that_the_share_says(step):
    before = maps()
    out, partner, share = mixed(before, Recipe(mix="mixup", mix_alpha=1.0), step)
    expected = share * torch.arange(6.0) + (1 - share) * partner.float()
    torch.testing.assert_close(out, expected[:, None, None, None].expand_as(out))
    torch.testing.assert_close(before, maps(), rtol=0, atol=0)
    assert sorted(partner.tolist()) == list(range(6))


@pytest.mark.parametrize("step", range(8))
def test_cutmix_pastes_as_much_as_the_share_leaves(step):
    out, partner, share = mixed(maps(side=8), Recipe(mix="cutmix", mix_alpha=1.0), step)
    own = (out[:, 0] == torch.arange(6.0)[:, None, None]) | (partner == torch.arange(6))[:, None, None]
    moved = partner != torch.arange(6)
    assert moved.any()
    torch.testing.assert_close(own[moved].float().mean((1, 2)), torch.full((int(moved.sum()),), share))
    pasted = out[:, 0] == partner.float()[:, None, None]
    assert (own | pasted).all()


def test_seed_and_step_say_all():
    recipe = Recipe(mix="mixup", mix_alpha=1.0)
    first = mixed(maps(), recipe, 3)[2]
    assert first == mixed(maps(), recipe, 3)[2]
    assert len({first, mixed(maps(), recipe, 4)[2], mixed(maps(), replace(recipe, seed=1), 3)[2]}) == 3


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 16), st.integers(1, 16), st.sampled_from(["mixup", "cutmix"]), st.integers(0, 10_000))
def test_weights_are_shares_and_cutmix_covers_one_rectangle(height, width, kind, seed):
    weight = own_weight(height, width, Mixing(kind, 1.0), np.random.default_rng(seed))
    assert weight.shape == (height, width)
    assert 0 <= weight.min() <= weight.max() <= 1
    if kind == "cutmix":
        rows, columns = np.nonzero(weight == 0)
        covered = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) if len(rows) else 0
        assert covered == len(rows)


def test_the_mean_share_of_cutmix_is_that_of_its_distribution():
    """Half is pasted at Beta(1, 1), less what falls over the edge: 1 - E[own] lies between 0.3 and 0.5."""
    rng = np.random.default_rng(0)
    pasted = 1 - np.mean([own_weight(32, 32, Mixing("cutmix", 1.0), rng).mean() for _ in range(2000)])
    assert 0.3 < pasted < 0.5


def test_tokens_are_averaged_by_mixup() -> None:
    tokens = torch.arange(12.0).reshape(3, 2, 2)
    found, partner, share = mixed(tokens, Recipe(mix="mixup"), 0)
    torch.testing.assert_close(found, share * tokens + (1 - share) * tokens[partner])
