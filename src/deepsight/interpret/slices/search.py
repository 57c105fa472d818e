"""Where a model may fail: candidate slices, from readable properties and from features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.cluster import KMeans
from sklearn.tree import DecisionTreeRegressor

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.blocks import blocks_of
from deepsight.core.statistics.principal_axes import evenly_spaced, principal_axes

COMPONENTS = 32  # principal components of the features that are clustered
BLOCK = 8192  # rows of features in memory at a time
MARKED = 0.5  # standard deviations from the mean of all images before a property describes a cluster


@dataclass(frozen=True)
class SliceCandidate:
    """A group of images and what they have in common.

    Attributes:
        description: conditions on properties, or the marks of a cluster.
        kind: "properties" or "cluster".
        members: bool (n,), the images of both halves that belong to it.
    """

    description: str
    kind: str
    members: Bools


def tree_slices(
    properties: pl.DataFrame, residual: Floats, first: Bools, *, depth: int, smallest: int
) -> list[SliceCandidate]:
    """Every node below the root of a regression tree, and of a one-split tree for each single property.

    The trees of single properties are needed because a greedy tree hides a second cause behind its first
    split.

    Args:
        properties: one numeric column per property, one row per image.
        residual: (n,), error (0 or 1) minus the error rate of the image's class.
        first: bool (n,), the images that the trees are fitted on.
        depth: of the tree on all properties.
        smallest: images of the first half in a node.
    """
    together = tree_nodes(properties, residual, first, depth=depth, smallest=smallest)
    alone = [
        tree_nodes(properties.select(name), residual, first, depth=1, smallest=smallest)
        for name in properties.columns
    ]
    return [*together, *(candidate for found in alone for candidate in found)]


def tree_nodes(
    properties: pl.DataFrame, residual: Floats, first: Bools, *, depth: int, smallest: int
) -> list[SliceCandidate]:
    """The nodes of one tree as candidates, the root left out."""
    values = properties.to_numpy().astype(np.float32)
    fitted = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=smallest, random_state=0)
    fitted.fit(values[first], residual[first])
    member = np.asarray(fitted.decision_path(values).todense(), dtype=bool)
    texts = node_descriptions(fitted.tree_, properties.columns)
    return [SliceCandidate(text, "properties", member[:, node]) for node, text in texts.items()]


def node_descriptions(tree: Any, names: Sequence[str]) -> dict[int, str]:
    """The conditions on the path to each node below the root, one interval per property."""
    found: dict[int, str] = {}
    waiting: list[tuple[int, dict[str, tuple[float, float]]]] = [(0, {})]
    while waiting:
        node, bounds = waiting.pop()
        if bounds:
            found[node] = " and ".join(condition_text(name, *ends) for name, ends in bounds.items())
        if tree.children_left[node] < 0:
            continue
        name, cut = names[tree.feature[node]], float(tree.threshold[node])
        low, high = bounds.get(name, (-np.inf, np.inf))
        waiting.append((tree.children_left[node], {**bounds, name: (low, min(high, cut))}))
        waiting.append((tree.children_right[node], {**bounds, name: (max(low, cut), high)}))
    return found


def condition_text(name: str, low: float, high: float) -> str:
    """A condition as text, such as "brightness ≤ 0.21"."""
    if " = " in name:  # a value of the metadata: 0 or 1
        return name if np.isinf(high) else name.replace(" = ", " ≠ ", 1)
    readable = name.replace("_", " ")
    if np.isinf(low):
        return f"{readable} ≤ {high:.3g}"
    if np.isinf(high):
        return f"{readable} > {low:.3g}"
    return f"{low:.3g} < {readable} ≤ {high:.3g}"


def cluster_slices(
    features: Reals,
    properties: pl.DataFrame,
    labels: Ints,
    classes: Sequence[str],
    first: Bools,
    *,
    clusters: int,
    smallest: int,
    seed: int,
) -> list[SliceCandidate]:
    """Clusters of the variation within classes, described by their properties and most frequent class.

    Args:
        features: (n, d); with fewer features than classes there are no clusters.
        properties: one numeric column per property, one row per image.
        labels: int64 (n,), positions in `classes`.
        classes: the class names.
        first: bool (n,), the images that the clusters are fitted on.
        clusters: their number, at most.
        smallest: images of the first half per cluster, on average, at least.
        seed: of k-means.
    """
    count = min(clusters, int(first.sum()) // max(smallest, 1))
    if features.shape[1] < len(classes) or count < 2:
        return []
    reduced = components_within_classes(features, labels, first)
    place = KMeans(count, n_init=1, random_state=seed).fit(reduced[first]).predict(reduced)
    members = [place == c for c in range(count)]
    return [
        SliceCandidate(cluster_description(chosen, properties, labels, classes), "cluster", chosen)
        for chosen in members
        if chosen.any()
    ]


def components_within_classes(features: Reals, labels: Ints, first: Bools) -> NDArray[np.float32]:
    """The leading components of the variation within classes, fitted on the first half, (n, p).

    A model places what it calls a truck near the trucks, so a cluster of its features is in part a cluster of
    predictions, and every image with another label in it is an error by construction. Without the directions
    in which the class means differ, what remains varies within classes: background, pose, style.

    The features are read in blocks, since they may be larger than memory.
    """
    fitted = np.flatnonzero(first)
    centre, between = class_directions(features, labels, fitted)
    sample = np.asarray(features[fitted[evenly_spaced(len(fitted))]], dtype=np.float32) - centre
    axes = principal_axes(
        sample - (sample @ between.T) @ between,
        np.zeros_like(centre),
        min(COMPONENTS, features.shape[1], len(fitted)),
    )
    axes -= between.T @ (between @ axes)
    components = np.empty((len(features), axes.shape[1]), dtype=np.float32)
    for rows in blocks_of(len(features), BLOCK):
        components[rows] = (np.asarray(features[rows], dtype=np.float32) - centre) @ axes
    return components


def class_directions(
    features: Reals, labels: Ints, rows: Ints
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of these rows (d,), and orthonormal directions (m, d) in which their class means differ."""
    present, place, sizes = np.unique(labels[rows], return_inverse=True, return_counts=True)
    sums = np.zeros((len(present), features.shape[1]))
    for block in blocks_of(len(rows), BLOCK):
        own = place[block]
        one_hot = csr_array(
            (np.ones(len(own), np.float32), (own, np.arange(len(own)))), (len(present), len(own))
        )
        sums += one_hot @ np.asarray(features[rows[block]], dtype=np.float32)
    means = sums / sizes[:, None]
    _, strength, axes = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    between = axes[strength > 1e-4 * max(float(strength[0]), 1e-12)]
    return (sums.sum(axis=0) / len(rows)).astype(np.float32), between.astype(np.float32)


def cluster_description(chosen: Bools, properties: pl.DataFrame, labels: Ints, classes: Sequence[str]) -> str:
    """The properties that set a cluster apart, the strongest first, and its most frequent class."""
    values = properties.to_numpy()
    shift = (values[chosen].mean(axis=0) - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)
    marked = [i for i in np.argsort(-np.abs(shift)) if abs(shift[i]) >= MARKED][:3]
    marks = [f"{'high' if shift[i] > 0 else 'low'} {properties.columns[i].replace('_', ' ')}" for i in marked]
    counts = np.bincount(labels[chosen], minlength=len(classes))
    common = f"{counts.max() / counts.sum():.0%} {classes[int(counts.argmax())]}"
    return f"similar images{' with ' if marks else ''}{', '.join(marks)} ({common})"
