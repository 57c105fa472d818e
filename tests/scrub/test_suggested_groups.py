"""Frames of videos are taken for groups, numbered but unlike pictures are not."""

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.scrub.suggested_groups import suggest_groups


def frames(scenes: int, each: int, noise: float, name: str = "frame_{:04d}.png") -> Dataset:
    """Scenes of their own colours, each seen in consecutive frames that differ by noise."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (scenes, 8, 8, 3)).repeat(each, axis=0)
    pixels = np.clip(pictures + rng.normal(0, noise, pictures.shape), 0, 255).astype(np.uint8)
    n = scenes * each
    labels = np.arange(scenes).repeat(each) % 2
    files = np.array([f"{('cat', 'dog')[c]}/" + name.format(i) for i, c in enumerate(labels)], dtype=object)
    return Dataset(pixels, labels, ("cat", "dog"), np.arange(n), "all", files)


def test_scenes_are_found_also_over_two_parts():
    data = frames(10, 8, 5)
    order = np.random.default_rng(1).permutation(80)
    test, train = data.select(np.sort(order[:20])), data.select(np.sort(order[20:]))
    found = suggest_groups([test, train])
    assert found is not None
    scene = np.concatenate([test.ids, train.ids]) // 8
    for group in np.unique(found.groups):
        assert len(np.unique(scene[found.groups == group])) == 1
    assert found.n_groups == 10
    assert found.share == 1.0
    assert found.by == "file names"


@pytest.mark.parametrize(
    "data", [frames(80, 1, 0), frames(10, 8, 200), frames(10, 8, 5, name="no number")], ids=str
)
def test_numbers_or_likeness_alone_suggest_nothing(data):
    assert suggest_groups([data]) is None


def test_images_without_names_suggest_nothing():
    data = frames(10, 8, 5)
    bare = Dataset(data.images, data.labels, data.classes, data.ids, "all")
    assert suggest_groups([bare]) is None
