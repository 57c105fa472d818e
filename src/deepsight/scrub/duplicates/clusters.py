"""Pairs as a frame: exact and near duplicates, pairs implied by a cluster, and the clusters themselves."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deepsight.core.array_types import Ints
from deepsight.scrub.duplicates.matching import Matches
from deepsight.scrub.duplicates.score_mixture import Mixture

LISTED = 0.2  # lowest score in the table; below it there are only look-alikes, in thousands
CLOSED = 200  # images; up to this size every pair of a cluster is registered


def exact_pairs(first: Ints) -> pl.DataFrame:
    """Each image whose pixels equal an earlier one's, paired with the first of these."""
    later = np.flatnonzero(first != np.arange(len(first)))
    n = len(later)
    placement = np.tile(np.array([1, 1, 0, 0], dtype=np.float32), (n, 1))
    same = Matches(first[later], later, np.zeros(n, dtype=bool), np.ones(n), placement)
    return frame_of(same, "exact", np.ones(n))


def missing_pairs(likely: Matches, seen: Matches, n: int) -> tuple[Ints, Ints]:
    """Pairs i < j within a cluster of near-duplicates that were not among the candidates.

    An image has only a few candidates. Clusters above `CLOSED` images, of too many pairs, are not completed.
    """
    component = components(likely.i, likely.j, n)
    order = np.argsort(component, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    codes = [np.empty(0, dtype=np.int64)]
    for group in groups:
        if 2 < len(group) <= CLOSED:
            low, high = np.sort(group[np.stack(np.triu_indices(len(group), 1))], axis=0)
            codes.append(low * n + high)
    new = np.setdiff1d(np.concatenate(codes), seen.i * n + seen.j)
    return new // n, new % n


def near_pairs(matches: Matches, mixture: Mixture, rows: Ints) -> pl.DataFrame:
    """The registered pairs worth listing, with their probability under the mixture."""
    probability = mixture.probability(matches.score)
    listed = np.flatnonzero(matches.score >= LISTED)
    kept = matches.take(listed)
    return frame_of(replace(kept, i=rows[kept.i], j=rows[kept.j]), "near", probability[listed])


def frame_of(matches: Matches, kind: str, probability: NDArray[np.float64]) -> pl.DataFrame:
    """Pairs as a frame, with the rows of the pool in `i` and `j`."""
    scale_x, scale_y, shift_x, shift_y = matches.placement.T.astype(np.float64)
    return pl.DataFrame(
        {
            "i": matches.i,
            "j": matches.j,
            "score": matches.score,
            "kind": np.full(len(matches), kind),
            "probability": probability,
            "flagged": probability >= 0.5,
            "mirrored": matches.mirrored,
            "scale_x": scale_x,
            "scale_y": scale_y,
            "shift_x": shift_x,
            "shift_y": shift_y,
        },
        schema_overrides={"kind": pl.String},
    )


def number_clusters(pairs: pl.DataFrame, n: int) -> pl.DataFrame:
    """The pairs with the number of their cluster: connected components of the flagged ones, largest first."""
    flagged = pairs.filter("flagged")
    i, j = flagged["i"].to_numpy(), flagged["j"].to_numpy()
    component = components(i, j, n)
    sizes = np.bincount(component)
    number = np.argsort(np.argsort(-sizes, kind="stable"))[component[pairs["i"].to_numpy()]]
    cluster = pl.Series("cluster", number, dtype=pl.Int64)
    return pairs.with_columns(pl.when("flagged").then(cluster).alias("cluster"))


def components(i: Ints, j: Ints, n: int) -> Ints:
    """The number of the connected component of each of n images under the pairs (i, j)."""
    links = coo_array((np.ones(len(i)), (i, j)), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
