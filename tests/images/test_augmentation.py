"""Albumentations could be replaced: torchvision.transforms.v2 makes equivalent views.

One image of known structure (a ramp from left to right over a flat colour) is viewed many times by either
library, and what each kind of change did is read off the views. The two must agree in distribution.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from deepsight.images.augmentation import COVERED, HOLE, view_transform

SIDE, PAD, VIEWS = 32, 4, 600


def other_view_transform(height: int, width: int) -> v2.Compose:
    """The same views by the other library: uint8 (c, h, w) to uint8 (c, height, width)."""

    def light(image: torch.Tensor) -> torch.Tensor:
        contrast, brightness = (torch.empty(2).uniform_(-0.15, 0.15) + torch.tensor([1.0, 0.0])).tolist()
        return (image * contrast + 255 * brightness).clamp(0, 255).to(torch.uint8)

    def colour(image: torch.Tensor) -> torch.Tensor:
        return (image + torch.empty(3, 1, 1).uniform_(-12, 12)).clamp(0, 255).to(torch.uint8)

    # Albumentations draws both sides of the hole; this library draws its area and its aspect.
    area, aspect = (HOLE[0] ** 2, HOLE[1] ** 2), (HOLE[0] / HOLE[1], HOLE[1] / HOLE[0])
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5),
            v2.RandomCrop((height, width)),
            v2.RandomApply([v2.Lambda(light)], 0.5),
            v2.RandomApply([v2.Lambda(colour)], 0.3),
            v2.RandomErasing(0.3, scale=area, ratio=aspect, value=COVERED),
        ]
    )


def ramp() -> np.ndarray:
    """A picture whose changes can be told apart, larger than a view by the padding on every side."""
    columns = 40 + 4 * np.arange(SIDE + 2 * PAD)
    rows = np.arange(SIDE + 2 * PAD)[:, None]
    return np.stack([columns + 0 * rows, columns + rows, columns + 2 * rows], axis=-1).astype(np.uint8)


def ours() -> np.ndarray:
    """Views of the ramp as DeepSight makes them."""
    transform = view_transform(SIDE, SIDE, seed=0)
    return np.concatenate([transform(ramp()[None]) for _ in range(VIEWS)])


def theirs() -> np.ndarray:
    """Views of the ramp by the other library."""
    torch.manual_seed(0)
    image, transform = torch.from_numpy(ramp()).permute(2, 0, 1), other_view_transform(SIDE, SIDE)
    return np.stack([transform(image).permute(1, 2, 0).numpy() for _ in range(VIEWS)])


def properties(views: np.ndarray) -> dict[str, np.ndarray]:
    """What was done to each view, one number per view and kind of change."""
    hidden = (views == COVERED).all(axis=-1)
    seen = np.where(hidden[..., None], np.nan, views.astype(float))
    slope = np.nanmedian(np.diff(seen, axis=2), axis=(1, 2, 3))
    means = np.nanmean(seen, axis=(1, 2))
    return {
        "mirrored": (slope < 0).astype(float),
        "contrast": np.abs(slope),
        "brightness": means.mean(axis=1),
        "colour": means[:, 0] - means[:, 2],
        "covered": hidden.mean(axis=(1, 2)),
    }


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    return properties(ours()), properties(theirs())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mirrored", "contrast", "brightness", "colour", "covered"])
def test_torchvision_makes_equivalent_views(both, kind):
    """Means agree within four standard errors, and spreads within a fifth."""
    a, b = both[0][kind], both[1][kind]
    error = np.sqrt((a.var() + b.var()) / VIEWS)
    assert abs(a.mean() - b.mean()) <= 4 * error
    assert a.std() == pytest.approx(b.std(), rel=0.2)
    assert a.std() > 0, "this kind of change was not made at all"


def test_the_comparison_sees_a_change_that_is_left_out(both):
    """A clean control for the test above: views without the crop, mirror and light differ."""
    flat = properties(np.repeat(ramp()[None, PAD:-PAD, PAD:-PAD], VIEWS, axis=0))
    assert all(flat[kind].std() == 0 for kind in flat)
    assert all(both[0][kind].std() > 0 for kind in flat)


def test_only_one_file_imports_albumentations():
    source = Path(__file__).parents[2] / "src"
    users = [path.name for path in source.rglob("*.py") if "import albumentations" in path.read_text("utf-8")]
    assert users == ["augmentation.py"]
