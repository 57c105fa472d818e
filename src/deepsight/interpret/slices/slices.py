"""Groups of images on which the model fails more often than their classes and its own doubt explain."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from scipy.special import betaln
from sklearn.linear_model import LogisticRegression

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.clusters import excess_over_groups_p
from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.interpret.slices.search import SliceCandidate, cluster_slices, tree_slices

CANDIDATES = 20  # slices tested on the second half; each one costs power
OVERLAP = 0.8  # a slice that shares more than this of its images (Jaccard) with a better one is dropped
EXAMPLES = 8
ERRORS_A_GROUP = 8  # expected in each half of a group of equal risk
MOST_GROUPS = 60
NEGLIGIBLE = 1e-100  # of the largest probability
DENSE_CLASSES = 100  # above it, the design matrix of the risk regression is sparse

UNITS = {
    "description": "what the images of the slice have in common",
    "kind": "properties or cluster of features",
    "n": "images of the second half in the slice",
    "error_rate": "share of these that are misclassified",
    "baseline": "error rate that the classes of these images and the model's own doubt explain",
    "effect": "error rate minus baseline",
    "p_value": "one-sided, exact, within groups of equal risk",
    "q_value": "false discovery rate over the candidates",
    "confirmed": "whether the second half confirms it",
    "examples": "rows of misclassified images in the official order of the split",
}


def slices_table(
    properties: pl.DataFrame,
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    ids: NDArray[np.int64],
    *,
    features: NDArray[np.floating],
    doubt: Floats | None = None,
    image_groups: Ints | None = None,
    depth: int = 3,
    clusters: int = 20,
    smallest: int = 40,
    fdr: float = 0.05,
    seed: int,
) -> Table:
    """Slices found on one half of the images and tested on the other: evidence table `slices`.

    Candidates are the nodes of a shallow tree on the properties and clusters of the features. The test is
    exact and within groups of images with about the same risk of an error, by class and by the model's own
    doubt: that cats fail more often is a finding about cats (see `recall`), and that doubtful answers are
    more often wrong is one about confidence. A slice is where the model fails more often than both suggest.

    Args:
        properties: one numeric column per property and one row per image, from `measured_properties` and
            others, such as the distance to the nearest training images.
        labels, predicted: int64 (n,), positions in `classes`.
        ids: int64 (n,), rows in the official order of the split.
        features: (n, d), preferably of a network that was not trained on these classes: clusters of the
            model's own features are in part clusters of its answers. With d below k no clusters are made.
        doubt: (n,), 1 minus the calibrated confidence; None compares images with their class alone.
        image_groups: int64 (n,), which images belong together. Halves are then of whole groups, and a slice
            must also stand out over groups (Student's t).
        depth: of the tree, which limits the conditions in a description.
        clusters: number of clusters of the features.
        smallest: images that a slice must hold in each half.
        fdr: bound on the expected share of false alarms among the confirmed slices.
        seed: of the halves and the clusters.
    """
    wrong = labels != predicted
    first = first_half(labels, wrong, image_groups, np.random.default_rng(seed))
    halved = bool(first.any() and not first.all())
    strata = labels if doubt is None or not halved else risk_strata(doubt, labels, wrong, first)
    residual = wrong - class_rates(wrong, strata, first)[strata]
    candidates = []
    if halved:
        candidates = tree_slices(properties, residual, first, depth=depth, smallest=smallest)
        candidates += cluster_slices(
            features, properties, labels, classes, first, clusters=clusters, smallest=smallest, seed=seed
        )
    promising = promising_slices(candidates, wrong, strata, first, smallest)
    frame = judged_slices([slice_row(c, wrong, strata, ~first, ids, image_groups) for c in promising], fdr)
    beyond = "classes" if doubt is None else "classes and the model's own doubt"
    found_clusters = sum(candidate.kind == "cluster" for candidate in candidates)
    return Table(
        frame=frame,
        units=UNITS,
        n=int((~first).sum()),
        method=slices_method(depth, found_clusters, beyond, fdr, grouped=image_groups is not None),
        caption=confirmed_in_words(int(frame["confirmed"].sum()), len(frame), beyond)
        + ("" if halved else " All images belong to one group, so no half is left to confirm slices on."),
    )


def confirmed_in_words(confirmed: int, candidates: int, beyond: str) -> str:
    """How many candidates are confirmed, and what that means."""
    have, their = ("have", "their") if confirmed > 1 else ("has", "its")
    return (
        f"{confirmed or 'None'} of {candidates} candidate slices {have} more errors on the other half of the "
        f"images than {their} {beyond} explain."
    )


def slices_method(depth: int, clusters: int, beyond: str, fdr: float, *, grouped: bool) -> str:
    """How slices were found and tested."""
    of_features = f" and {clusters} k-means clusters of the features" if clusters else ""
    return (
        f"Tree of depth {depth} on image properties{of_features}, found on one half of the images; exact "
        f"hypergeometric test within groups of equal risk, by {beyond}, on the other half; Benjamini & "
        f"Hochberg (1995) at {fdr:g}."
        + (" Halves of whole groups of images, and a t test over groups." if grouped else "")
    )


SCHEMA: dict[str, Any] = {
    **dict.fromkeys(UNITS, pl.Float64),
    "description": pl.String,
    "kind": pl.String,
    "n": pl.Int64,
    "confirmed": pl.Boolean,
    "examples": pl.List(pl.Int64),
}


def judged_slices(rows: list[dict[str, Any]], fdr: float) -> pl.DataFrame:
    """The rows with their q-values and verdicts, the smallest p-value first."""
    q = benjamini_hochberg([row["p_value"] for row in rows])
    frame = pl.DataFrame(
        [{**row, "q_value": float(x)} for row, x in zip(rows, q, strict=True)], schema=SCHEMA
    )
    judged = frame.with_columns(confirmed=pl.col("q_value") <= fdr)
    return judged.sort("p_value", "effect", descending=[False, True])


def first_half(labels: Ints, wrong: Bools, groups: Ints | None, rng: np.random.Generator) -> Bools:
    """The half on which slices are sought, bool (n,): stratified by class and error, or of whole groups."""
    return stratified_half(labels * 2 + wrong, rng) if groups is None else half_of_groups(groups, rng)


def stratified_half(strata: Ints, rng: np.random.Generator) -> Bools:
    """A random half of each stratum."""
    order = np.lexsort((rng.random(len(strata)), strata))
    rank = np.empty(len(strata), dtype=np.int64)
    rank[order] = np.arange(len(strata))
    return np.asarray(rank % 2 == 0)


def half_of_groups(groups: Ints, rng: np.random.Generator) -> Bools:
    """About half of the images, as whole groups: the largest are assigned first, to balance the halves."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.lexsort((rng.random(len(sizes)), -sizes))
    taken, left = np.zeros(len(sizes), dtype=bool), [0, 0]
    for one in order:
        side = int(left[1] < left[0] or (left[0] == left[1] and rng.random() < 0.5))
        taken[one] = side == 0
        left[side] += int(sizes[one])
    return np.asarray(taken[group])


def risk_strata(doubt: Floats, labels: Ints, wrong: Bools, first: Bools) -> Ints:
    """Groups of images with about the same risk of an error, int64 (n,), each with some errors in each half.

    The risk is a logistic regression of errors on the log-odds of the doubt and on the class, fitted on the
    first half alone. Images in the order of their risk are cut into groups of equal expected errors, so that
    groups are finest where errors are frequent. All images are one group where the first half holds no error
    or only errors.
    """
    odds = np.log(np.clip(doubt, 1e-4, 1 - 1e-4)) - np.log1p(-np.clip(doubt, 1e-4, 1 - 1e-4))
    if wrong[first].all() or not wrong[first].any():
        return np.zeros(len(doubt), dtype=np.int64)
    k = int(labels.max()) + 1
    if k <= DENSE_CLASSES:
        x = np.column_stack([odds, np.eye(k)[labels]])
    else:  # all but one of the columns of an image's class are 0
        rows = np.arange(len(labels) + 1)
        one_hot = csr_array((np.ones(len(labels)), labels, rows), shape=(len(labels), k))
        x = hstack([csr_array(odds[:, None]), one_hot]).tocsr()
    risk = LogisticRegression(C=1.0, max_iter=1000).fit(x[first], wrong[first]).predict_proba(x)[:, 1]
    groups = int(np.clip(risk.sum() / (2 * ERRORS_A_GROUP), 1, MOST_GROUPS))
    order = np.argsort(risk, kind="stable")
    strata = np.empty(len(doubt), dtype=np.int64)
    before = np.cumsum(risk[order]) - risk[order]
    strata[order] = np.minimum(before / risk.sum() * groups, groups - 1).astype(np.int64)
    return strata


def class_rates(wrong: Bools, strata: Ints, among: Bools) -> Floats:
    """The error rate of each class (or group) among these images; 0 where it has no image."""
    k = int(strata.max(initial=0)) + 1
    n = np.bincount(strata[among], minlength=k)
    return np.asarray(np.bincount(strata[among & wrong], minlength=k) / np.maximum(n, 1), dtype=np.float64)


def promising_slices(
    candidates: Sequence[SliceCandidate], wrong: Bools, strata: Ints, first: Bools, smallest: int
) -> list[SliceCandidate]:
    """The candidates to test on the second half: those of smallest p on the first, without near-copies."""
    large = [c for c in candidates if min((c.members & first).sum(), (c.members & ~first).sum()) >= smallest]
    scored = [(excess_p(c.members & first, wrong, strata, first), place) for place, c in enumerate(large)]
    kept: list[SliceCandidate] = []
    for p, place in sorted(scored):
        if p > 0.05 or len(kept) == CANDIDATES:
            break
        if all(jaccard(large[place].members, other.members) <= OVERLAP for other in kept):
            kept.append(large[place])
    return kept


def jaccard(a: Bools, b: Bools) -> float:
    """Shared images over images in either."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def excess_p(inside: Bools, wrong: Bools, strata: Ints, among: Bools) -> float:
    """Exact probability of at least this many errors inside, were the errors of each group spread at random.

    The number inside is a sum of independent hypergeometric counts, one per group, given the group's images
    inside and its errors among the images tested. Counts that are less probable than 1e-100 of the most
    probable one are left out, so that time does not grow with the square of the images.
    """
    of_group = [np.bincount(strata[rows]) for rows in (inside, among & wrong, among)]
    lowest, pmf = 0, np.ones(1)
    for c in np.flatnonzero(of_group[0]):
        drawn, errors, total = (int(counts[c]) if c < len(counts) else 0 for counts in of_group)
        first, own = without_tails(drawn_errors_pmf(total, errors, drawn))
        start, pmf = without_tails(np.convolve(pmf, own))
        lowest += first + start
    observed = int((inside & wrong).sum())
    return float(min(1.0, pmf[max(0, observed - lowest) :].sum()))


def drawn_errors_pmf(total: int, errors: int, drawn: int) -> Floats:
    """P(c errors among the drawn), for c from 0 to min(errors, drawn): the hypergeometric distribution.

    The logarithm of each binomial coefficient is taken from the beta function; `scipy.stats` gives the same
    values, with checks that cost twenty times as long.
    """
    c = np.arange(min(errors, drawn) + 1.0)
    right = total - errors
    possible = drawn - c <= right
    ways = log_choose(errors, c) + log_choose(right, np.minimum(drawn - c, right))
    return np.asarray(np.exp(np.where(possible, ways - log_choose(total, drawn), -np.inf)))


def without_tails(pmf: Floats) -> tuple[int, Floats]:
    """The first count whose probability is not negligible, and the probabilities from there to the last."""
    kept = np.flatnonzero(pmf > NEGLIGIBLE * pmf.max())
    return int(kept[0]), pmf[kept[0] : kept[-1] + 1]


def log_choose(n: int, c: Floats | int) -> Floats:
    """The logarithm of the number of ways to choose c of n."""
    return np.asarray(-np.log1p(n) - betaln(n - c + 1, c + 1), dtype=np.float64)


def slice_row(
    candidate: SliceCandidate, wrong: Bools, strata: Ints, second: Bools, ids: NDArray[np.int64],
    groups: Ints | None,
) -> dict[str, Any]:  # fmt: skip
    """The row of a candidate, from the images of the second half alone."""
    inside = candidate.members & second
    rate = float(wrong[inside].mean())
    rates = class_rates(wrong, strata, second)
    baseline = float(rates[strata[inside]].mean())
    p = excess_p(inside, wrong, strata, second)
    if groups is not None:
        excess = np.where(inside, wrong - rates[strata], 0.0)[second]
        p = max(p, excess_over_groups_p(excess, groups[second]))
    return {
        "description": candidate.description,
        "kind": candidate.kind,
        "n": int(inside.sum()),
        "error_rate": rate,
        "baseline": baseline,
        "effect": rate - baseline,
        "p_value": p,
        "examples": ids[inside & wrong][:EXAMPLES].tolist(),
    }
