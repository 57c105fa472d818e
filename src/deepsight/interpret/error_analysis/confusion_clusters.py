"""Clusters of classes that a model takes for each other, with bootstrap support."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import confusion_counts

STABLE = 0.95  # the share of resamples that must hold a cluster before it is called stable
MANY_CLASSES, DRAWS, FEW_DRAWS = 200, 500, 100  # a tree of more classes takes a tenth of a second

Cluster = frozenset[int]


def draws_for(k: int) -> int:
    """Resamples behind the support of the clusters of k classes."""
    return DRAWS if k <= MANY_CLASSES else FEW_DRAWS


def confusion_clusters_table(
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    groups: Mapping[str, str],
    *,
    draws: int = DRAWS,
    seed: int,
) -> Table:
    """Every cluster below the root of the tree of classes: evidence table `confusion_clusters`.

    The tree joins the classes by average linkage on the symmetrised confusion rate. Support is the share of
    bootstrap resamples of the images, within each class, whose tree holds the same cluster (after Felsenstein
    1985).

    Args:
        labels, predicted: int64 (n,), positions in `classes`.
        groups: a group for some classes or none; a cluster within one group carries its name.
        draws: resamples behind the support.
    """
    counts = confusion_counts(labels, predicted, len(classes))
    affinity = symmetric_rates(counts)
    found = class_tree(affinity)
    support = bootstrap_support(counts, found, draws, np.random.default_rng(seed))
    frame = pl.DataFrame(
        {
            "cluster": [cluster_name(c, classes, groups) for c in found],
            "classes": [[classes[i] for i in sorted(c)] for c in found],
            "size": [len(c) for c in found],
            "affinity": [mean_within(affinity, c) for c in found],
            "support": support,
            "stable": support >= STABLE,
        },
        schema_overrides={"cluster": pl.String, "classes": pl.List(pl.String)},
    )
    return Table(
        frame=frame,
        units={
            "cluster": "names of the classes, and their group where it is one",
            "classes": "class names",
            "size": "classes",
            "affinity": "mean confusion rate between members, both directions",
            "support": f"share of {draws} resamples that hold the cluster",
            "stable": f"whether the support is at least {STABLE:g}",
        },
        n=len(labels),
        method="Average linkage on the symmetrised confusion rates; support by bootstrap of the images "
        "within each class (after Felsenstein 1985).",
        caption=f"{int((support >= STABLE).sum())} of {len(found)} clusters of classes are stable.",
    )


def symmetric_rates(counts: NDArray[np.int64]) -> Floats:
    """The mean of the confusion rates in both directions, (k, k), with a diagonal of 0."""
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(rates, 0.0)
    return np.asarray((rates + rates.T) / 2, dtype=np.float64)


def class_tree(affinity: Floats) -> list[Cluster]:
    """The clusters of at least two classes in the order of joining, without the root."""
    k = len(affinity)
    distance = affinity.max() - affinity
    np.fill_diagonal(distance, 0.0)
    members: list[Cluster] = [frozenset({i}) for i in range(k)]
    for left, right in linkage(squareform(distance, checks=False), "average")[:, :2].astype(int):
        members.append(members[left] | members[right])
    return members[k:-1]


def bootstrap_support(
    counts: NDArray[np.int64], found: list[Cluster], draws: int, rng: np.random.Generator
) -> Floats:
    """The share of resampled confusion matrices whose tree holds each cluster."""
    sizes = counts.sum(axis=1)
    shares = np.where(sizes[:, None] > 0, counts / np.maximum(sizes, 1)[:, None], 1 / len(counts))
    seen = np.zeros(len(found))
    for _ in range(draws):
        again = set(class_tree(symmetric_rates(rng.multinomial(sizes, shares))))
        seen += [cluster in again for cluster in found]
    return seen / draws


def mean_within(affinity: Floats, cluster: Cluster) -> float:
    """The mean affinity over the pairs of distinct members."""
    inside = affinity[np.ix_(sorted(cluster), sorted(cluster))]
    return float(inside.sum() / (len(cluster) * (len(cluster) - 1)))


def cluster_name(cluster: Cluster, classes: Sequence[str], groups: Mapping[str, str]) -> str:
    """The members joined by a plus, with the group that they all belong to."""
    members = [classes[i] for i in sorted(cluster)]
    shared = {groups.get(name) for name in members}
    group = shared.pop() if len(shared) == 1 else None
    return " + ".join(members) + (f" ({group})" if group else "")
