"""Correlations against scipy, and weights that are shuffled from the head down."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from conv_nets import SmallNet
from deepsight.interpret.attribution.cam import signed_maps
from deepsight.interpret.faithfulness.model_randomisation import (
    maps_at_part,
    mean_correlations,
    randomise_cascading,
    randomised_copy,
    rank_correlation,
)
from open_nets import OpenNet


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
    for name, copy in randomise_cascading(net, ["head", "stage2", "stage1"], seed=0):
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
    _, copy = next(iter(randomise_cascading(net, ["head"], seed=1)))
    assert torch.equal(copy.head.weight.flatten().sort().values, net.head.weight.flatten().sort().values)


def test_a_random_copy_is_random_from_its_end_up_to_the_depth() -> None:
    rest = OpenNet(SmallNet(4)).from_stage("stem")
    head, both = (randomised_copy(rest, depth, seed=0) for depth in ("head", "stage"))
    assert torch.equal(head[0][0].weight, rest[0][0].weight)
    assert not torch.equal(head[1][2].weight, rest[1][2].weight)
    assert not torch.equal(both[0][0].weight, rest[0][0].weight)
    assert not torch.equal(randomised_copy(rest, "head", seed=1)[1][2].weight, head[1][2].weight)


def test_maps_within_the_end_are_the_closed_form_at_its_last_layer() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(18, 32, 32, 3), dtype=np.uint8)
    net, classes = OpenNet(SmallNet(4)), np.array([[0, 3]] * 18)
    maps = maps_at_part(net.from_stage("stem"), 1, net.stage_maps("stem", images), classes)
    closed = signed_maps(net.stage_maps("stage", images), torch.from_numpy(net.weight)).numpy()
    np.testing.assert_allclose(maps, closed[:, [0, 3]], atol=1e-6)
    earlier = maps_at_part(net.from_stage("stem"), 0, net.stage_maps("stem", images), classes)
    assert earlier.shape == (18, 2, 16, 16)
