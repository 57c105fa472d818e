"""An image far from all others is flagged; a cloud without one has none."""

import numpy as np
import polars as pl

from deepsight.explore.isolated_images import isolated_images_table
from deepsight.interpret.labels.knn import nearest_neighbours


def table_of(features: np.ndarray):
    keys = pl.DataFrame({"split": ["all"] * len(features), "index": np.arange(len(features))})
    return isolated_images_table(nearest_neighbours(features, count=10, seed=0).cosine, keys)


def cloud(seed: int) -> np.ndarray:
    """Four classes of 100 images each."""
    rng = np.random.default_rng(seed)
    return (4 * np.eye(4, 32)[np.arange(400) % 4] + 0.5 * rng.normal(size=(400, 32))).astype(np.float32)


def test_what_is_like_nothing_else_is_flagged_first() -> None:
    features = cloud(0)
    features[[5, 77]] = 0
    features[5, 30], features[77, 31] = -12, 12
    found = table_of(features).frame
    assert set(found.filter("flagged")["index"]) == {5, 77}
    assert set(found["index"][:2]) == {5, 77}


def test_a_cloud_has_hardly_any() -> None:
    flagged = [int(table_of(cloud(seed)).frame["flagged"].sum()) for seed in range(1, 6)]
    assert max(flagged) <= 2
