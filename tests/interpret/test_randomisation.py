"""Correlations against scipy, and weights that are shuffled from the head down."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from conv_nets import SmallNet
from deepsight.interpret.randomisation import cascade, mean_correlations, rank_correlation


def test_rank_correlation_against_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 10, 4, 4)).round(1)  # with ties
    expected = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b), expected)
    assert rank_correlation(np.ones((1, 4, 4)), b[:1]).tolist() == [0.0]


@pytest.mark.parametrize(("side", "spread"), [(2, 0.58), (4, 0.26), (7, 0.14)])
def test_null_spread_of_a_single_image(side: int, spread: float) -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 4000, side, side))
    assert rank_correlation(a, b).std() == pytest.approx(spread, abs=0.02)


def test_mean_is_over_images() -> None:
    rng = np.random.default_rng(2)
    maps, others = rng.normal(size=(5, 4, 4)), rng.normal(size=(3, 5, 4, 4))
    found = mean_correlations(maps, others)
    np.testing.assert_allclose(found, [rank_correlation(maps, o).mean() for o in others])


def test_cascade_goes_from_the_head_down_and_leaves_the_model() -> None:
    net = SmallNet(4)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    changed = []
    for name, copy in cascade(net, ["head", "stage2", "stage1"], seed=0):
        state = copy.state_dict()
        changed.append(
            (name, {part.split(".")[0] for part in state if not torch.equal(state[part], before[part])})
        )
    assert changed == [
        ("head", {"head"}),
        ("stage2", {"head", "stage2"}),
        ("stage1", {"head", "stage2", "stage1"}),
    ]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_shuffles_keep_the_distribution() -> None:
    net = SmallNet(4)
    _, copy = next(iter(cascade(net, ["head"], seed=1)))
    assert torch.equal(copy.head.weight.flatten().sort().values, net.head.weight.flatten().sort().values)
