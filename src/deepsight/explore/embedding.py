"""A map of the images: nearby points have similar features in a frozen backbone."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table

COMPONENTS = 50  # principal components kept before the map, as usual for t-SNE
ITERATIONS = 300  # 1,500 points converge in about two seconds; further steps hardly move them
NEIGHBOURS = 10


def embedding_table(
    features: NDArray[np.floating],
    labels: Ints,
    classes: Sequence[str],
    ids: NDArray[np.int64],
    *,
    limit: int = 1500,
    seed: int,
) -> Table:
    """A t-SNE map of at most `limit` images: evidence table `embedding`.

    Args:
        features: (n, d) pooled features of one split.
        labels: int64 (n,), positions in `classes`.
        ids: int64 (n,), rows in the official order of the split.
        limit: the largest number of images, drawn at random if there are more.
        seed: random seed of the draw and of the map.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(labels))[:limit])
    reduced = scaled_components(features[rows], seed)
    x, y = flat_map(reduced, seed).T
    agreement = neighbour_agreement(reduced, labels[rows])
    frame = pl.DataFrame(
        {
            "index": ids[rows],
            "class": np.asarray(classes)[labels[rows]],
            "x": x,
            "y": y,
            "agreement": agreement,
        }
    )
    return Table(
        frame=frame,
        units={
            "index": "row in the official order of the split",
            "class": "class name",
            "x": "position on the map, no unit",
            "y": "position on the map, no unit",
            "agreement": f"share of the {NEIGHBOURS} nearest images (by features) that have the same class",
        },
        n=len(rows),
        method=f"t-SNE (van der Maaten & Hinton 2008) of {reduced.shape[1]} principal components; distances "
        "between far groups, and the sizes of groups, mean nothing.",
        caption=f"Of an image's {NEIGHBOURS} nearest neighbours, {agreement.mean():.0%} share its class.",
    )


def scaled_components(features: NDArray[np.floating], seed: int) -> Floats:
    """The first 50 principal components at most, (n, p), scaled so that the first has deviation 1."""
    x = np.asarray(features, dtype=np.float64)
    count = min(COMPONENTS, *x.shape)
    reduced = PCA(count, svd_solver="randomized", random_state=seed).fit_transform(x)
    return np.asarray(reduced / max(float(reduced[:, 0].std()), 1e-12), dtype=np.float64)


def flat_map(reduced: Floats, seed: int) -> Floats:
    """The map, (n, 2): by t-SNE, or the first two principal components if t-SNE cannot work.

    It cannot with too few points, a single component, or equal points, on which it would crash.
    """
    if len(reduced) < 3 * NEIGHBOURS or reduced.shape[1] < 2 or not reduced.any():
        return np.asarray(np.pad(reduced, ((0, 0), (0, 2)))[:, :2], dtype=np.float64)
    perplexity = min(30.0, len(reduced) / 4)
    mapper = TSNE(2, perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=seed, n_jobs=1)
    return np.asarray(mapper.fit_transform(reduced.astype(np.float32)), dtype=np.float64)


def neighbour_agreement(reduced: Floats, labels: Ints) -> Floats:
    """The share of the nearest images that have the same label, for each image (n,)."""
    count = min(NEIGHBOURS, len(labels) - 1)
    near = NearestNeighbors(n_neighbors=count).fit(reduced).kneighbors(return_distance=False)
    return np.asarray((labels[near] == labels[:, None]).mean(axis=1), dtype=np.float64)
