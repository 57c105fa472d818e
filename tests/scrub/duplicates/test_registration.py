"""A known placement is found again; near-duplicates score high, look-alikes and noise low."""

import numpy as np
import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from deepsight.images.resize import resize
from deepsight.scrub.duplicates import registration


@pytest.fixture(scope="module")
def images(cifar10) -> torch.Tensor:
    return torch.from_numpy(cifar10[1].pixels(np.arange(60))).permute(0, 3, 1, 2).float()


def moved(images: torch.Tensor, scale: float, right: float, down: float) -> torch.Tensor:
    theta = torch.tensor([[scale, 0, right], [0, scale, down]]).expand(len(images), 2, 3)
    return grid_sample(
        images, affine_grid(theta, list(images.shape), align_corners=False), align_corners=False,
        padding_mode="reflection",
    )  # fmt: skip


def register(a, b):
    greys = [resize(x.mean(dim=1, keepdim=True), registration.COARSE) for x in (a, b)]
    peaks, placements = registration.coarse_placements(*(registration.coarse_inputs(grey) for grey in greys))
    order = peaks.topk(2, dim=1)[1][:, :, None].expand(-1, -1, 4)
    return registration.register_pairs(a, b, placements.gather(1, order))


@pytest.mark.parametrize(
    ("scale", "right", "down"), [(1.0, 0.0, 0.0), (1.0, 0.25, -0.125), (0.85, 0.05, 0.1), (1.15, -0.1, 0.0)]
)
def test_a_known_placement_is_found_again(images, scale, right, down):
    # The copy shows at x what the original shows at scale x + right.
    score, placement = register(moved(images, scale, right, down), images)
    expected = torch.tensor([scale, scale, right, down])
    error = (placement - expected).abs().amax(dim=1) * registration.SIDE / 2
    assert error.quantile(0.8) < 0.5  # of a pixel
    assert score.quantile(0.2) > 0.7


def test_gain_offset_and_noise_leave_near_duplicates_above_look_alikes(images):
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    gains = torch.tensor([0.7, 0.9, 1.1])[:, None, None]
    twins, _ = register(images, (images * gains + 20 + 3 * noise).clamp(0, 255))
    strangers, _ = register(images, images.roll(1, 0))
    assert twins.quantile(0.05) > strangers.max()
    assert strangers.median() < 0.15


def test_scores_of_identical_images_and_of_noise():
    noise = torch.rand(2, 40, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255
    upright = torch.tensor([1.0, 1, 0, 0]).expand(40, 4)
    assert registration.image_agreement(noise[0], noise[0], upright).min() > 0.97
    assert registration.image_agreement(noise[0], noise[1], upright).max() < 0.1


def test_correlation_is_numpys_where_there_is_signal():
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(3, 4, 500)) * 50
    weight = (weight > 0).astype(float)
    received = registration.correlation(*(torch.tensor(v) for v in (x, y + x, weight)))
    for row in range(4):
        seen = weight[row] > 0
        by_hand = np.corrcoef(x[row, seen], (x + y)[row, seen])[0, 1]
        assert received[row] == pytest.approx(by_hand, abs=2e-3)


def test_few_pixels_are_trusted_less():
    small = torch.zeros(1, 3, 1024)
    small[:, :, 500:508] = torch.tensor([90.0, -80, 70, -60, 80, -90, 75, -85])
    rich = torch.randn(1, 3, 1024, generator=torch.Generator().manual_seed(0)) * 50
    weight = torch.ones(1, 1, 1024)
    noisy = [x + 0.5 * x.roll(1, 2) for x in (small, rich)]
    few, many = (
        registration.cautious_correlation(x, y, weight) for x, y in zip((small, rich), noisy, strict=True)
    )
    plain = [registration.correlation(x, y, weight).mean() for x, y in zip((small, rich), noisy, strict=True)]
    assert plain[0] - few > 5 * (plain[1] - many)


def test_plain_images_are_no_near_duplicates_of_anything(images):
    plain = torch.full((60, 3, 32, 32), 128.0)
    score, placement = register(plain, images)
    assert torch.isfinite(placement).all()
    assert score.max() < 0.1
