"""Exact copies and near-duplicates, within and across splits, such as test images repeated in training."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.scrub.duplicates.candidates import indexed
from deepsight.scrub.duplicates.clusters import exact_pairs, missing_pairs, near_pairs, number_clusters
from deepsight.scrub.duplicates.image_pool import Pool
from deepsight.scrub.duplicates.matching import Matcher
from deepsight.scrub.duplicates.score_mixture import fit_mixture, look_alike_floor

UNITS = {
    "split_a": "split of the first image",
    "index_a": "row of the first image in the official order",
    "split_b": "split of the second image; where one of both is a test image, it is the first",
    "index_b": "row of the second image in the official order",
    "score": "agreement of fine detail after registration, 0 to 1; higher is surer",
    "kind": "exact (equal pixels) or near",
    "probability": "estimated probability that the pair shows the same picture",
    "flagged": "whether the probability is at least one half",
    "cluster": "number of the group that flagged pairs connect, from the largest; empty if not flagged",
    "mirrored": "whether the second image was mirrored, true or false",
    "scale_x": "width of the first image in widths of the second",
    "scale_y": "height of the first image in heights of the second",
    "shift_x": "how far right in the second the centre of the first lies, in half widths",
    "shift_y": "how far down in the second the centre of the first lies, in half heights",
}


def find_duplicates(
    parts: Mapping[str, Dataset],
    *,
    features: Mapping[str, NDArray[np.floating]] | None = None,
    seed: int,
) -> Table:
    """Evidence table `duplicates`: pairs of images that show the same picture, exactly or nearly.

    Candidates are nearest neighbours by pixel descriptors that are robust to shifts, crops, colour changes
    and mirroring (and by pooled features, if given). Registering a pair at pixel level yields its score. A
    two-component mixture of the scores yields the probability that a pair shows the same picture. Memory is
    bounded by reading in blocks. Time grows with n² up to 150,000 images; beyond, with n^1.5 if the extra
    `large` is installed, else with n² (figures: benchmarks/duplicates).

    Args:
        parts: the splits by name, test last; images of one shape.
        features: for each split (n, d), rows as in its images.
        seed: random seed of the samples that projections are fitted on.

    Raises:
        DeepSightError: shapes differ between splits, or features do not fit the images.
    """
    pool = Pool({name: parts[name] for name in reversed(list(parts))})  # test first, so it is image a
    first = pool.first_copies()
    distinct = np.unique(first)
    matcher = Matcher(lambda rows: pool.read(distinct[rows]), len(distinct), seed=seed)
    stored = None if features is None else features_reader(pool, features)
    vectors = None if stored is None else lambda rows: stored(distinct[rows])
    matches = matcher.register(*matcher.candidates(vectors))
    floor = look_alike_floor(matches.i, matches.j, matches.score)
    mixture = fit_mixture(matches.score, floor)
    likely = matches.take(np.flatnonzero(mixture.probability(matches.score) >= 0.5))
    rest = matcher.register(*missing_pairs(likely, matches, len(distinct)), peak=-1.0)
    pairs = pl.concat([exact_pairs(first), near_pairs(matches.with_more(rest), mixture, distinct)])
    pairs = number_clusters(pairs.sort("score", descending=True, maintain_order=True), len(pool))
    return duplicates_table(pairs, pool, by_index=indexed(len(distinct)))


def features_reader(
    pool: Pool, features: Mapping[str, NDArray[np.floating]]
) -> Callable[[Ints], NDArray[np.floating]]:
    """A function that reads the features (r, d) of rows of the pool, without copying all of them."""
    received = {name: np.shape(features.get(name, ())) for name in pool.parts}
    fits = all(len(shape) == 2 and shape[0] == len(pool.parts[name]) for name, shape in received.items())
    if not fits or len({shape[1] for shape in received.values()}) > 1:
        wanted = {name: (len(part), "d") for name, part in pool.parts.items()}
        raise DeepSightError(f"Expected features of shape {wanted}, received {received}.")
    return lambda rows: pool.gather([features[name] for name in pool.parts], rows)


def duplicates_table(pairs: pl.DataFrame, pool: Pool, *, by_index: bool) -> Table:
    """The evidence table, with rows in the official order of each split.

    Args:
        pairs: rows of the pool in `i` and `j`.
        pool: all images.
        by_index: whether candidates come from an index, which may miss some.
    """
    search = "an inverted file's nearest neighbours" if by_index else "nearest neighbours"
    i, j = pairs["i"].to_numpy(), pairs["j"].to_numpy()
    frame = pairs.with_columns(
        pl.Series("split_a", pool.names(i), dtype=pl.String),
        pl.Series("index_a", pool.ids(i)),
        pl.Series("split_b", pool.names(j), dtype=pl.String),
        pl.Series("index_b", pool.ids(j)),
    ).select(list(UNITS))
    return Table(
        frame=frame,
        units=UNITS,
        n=len(pool),
        method=(
            f"BLAKE2b digests; {search} by histograms of slopes and 8×8 pictures (and features, if "
            "given), registered for shift, scale, gain and mirroring; probability from a two-component "
            "mixture of the scores by EM."
        ),
        caption=duplicates_caption(frame, len(pool)),
    )


def duplicates_caption(frame: pl.DataFrame, n: int) -> str:
    """How many pairs among n images are flagged, and how many of them join two splits."""
    flagged = frame.filter("flagged")
    across = flagged.filter(pl.col("split_a") != pl.col("split_b"))
    if not len(flagged):
        return f"No two of {n:,} images are flagged as the same picture."
    precision = flagged["probability"].to_numpy().mean()
    return (
        f"{len(flagged):,} pairs among {n:,} images are flagged as the same picture, at an estimated "
        f"precision of {precision:.1%}; {len(across):,} of them join two splits."
    )
