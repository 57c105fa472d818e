"""Independent sources for the label of each image, none of which has seen that label.

The sources are the examined model, out-of-fold predictions of a linear head on features, and the nearest
neighbours in feature space. Label errors and ambiguity both read them; gathering them is the costly part and
is done once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from deepsight.core.array_types import Floats, Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.files.scratch import scratch_array, scratch_taken
from deepsight.core.groups import joined_groups
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.interpret.labels.knn import nearest_neighbours, neighbour_vote

SMALLEST = 1e-9  # probabilities below this are raised to it before a logarithm
# Images times classes of a split whose labels are examined. Time and memory grow with the product; of more, a
# random sample is examined.
MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class ExaminedSplit:
    """A split whose labels are examined, with what is known of its images.

    Attributes:
        ids: int64 (n,), rows in the official order of the split.
        labels: int64 (n,), given.
        probabilities: (n, k), of a model that has NOT been trained on these labels, or None.
        features: (n, d), or None. A network that was fine-tuned on these labels has adapted its features to
            them, wrong ones included, which out-of-fold heads cannot undo: for images that it was trained on,
            pass the features of the network before fine-tuning.
        space: names the network that made the features. Parts of the same space are each other's neighbours
            and share a head.
        more: features of further networks by their space, (n, d) each. A pool benefits from them, since
            another network makes other mistakes.
        judges: probabilities of further models by their name, (n, k) each; none of them has been trained on
            these labels.
        groups: int64 (n,), which images belong together, such as those of one patient; None where unknown. A
            number means the same group in all parts.
    """

    ids: NDArray[np.int64]
    labels: Ints
    probabilities: Floats | None = None
    features: NDArray[np.floating] | None = None
    space: str = ""
    more: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    judges: Mapping[str, Floats] = field(default_factory=dict)
    groups: Ints | None = None

    def spaces(self) -> dict[str, NDArray[np.floating]]:
        """All features by their space; predictions read from a file may have features of width 0."""
        own = {} if self.features is None else {self.space: self.features}
        return {space: features for space, features in (own | dict(self.more)).items() if features.shape[1]}

    def select(self, rows: NDArray[np.int64]) -> "ExaminedSplit":
        """The same of some rows."""
        return replace(
            self,
            ids=self.ids[rows],
            labels=self.labels[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            features=None if self.features is None else scratch_taken(self.features, rows),
            more={space: scratch_taken(features, rows) for space, features in self.more.items()},
            judges={name: said[rows] for name, said in self.judges.items()},
            groups=None if self.groups is None else self.groups[rows],
        )


def affordable_part(part: ExaminedSplit, k: int, *, seed: int) -> ExaminedSplit:
    """The images whose labels are examined, in their order: all, or a random sample where they are too many.

    Args:
        part: the split.
        k: number of classes; the product of images and classes is bounded.
        seed: of the sample.
    """
    n, count = len(part.ids), max(1, MOST_CELLS // k)
    if n <= count:
        return part
    return part.select(np.sort(np.random.default_rng(seed).choice(n, count, replace=False)))


@dataclass(frozen=True)
class LabelSources:
    """The distribution of each source over the given label of each image of a split.

    Attributes:
        ids, labels: int64 (n,), as in `ExaminedSplit`.
        distributions: name to float64 (n, k): "model", "head", "neighbours", those of further networks, such
            as "head (frozen)", and further models, such as "reference", as far as there are any.
    """

    ids: NDArray[np.int64]
    labels: Ints
    distributions: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def pooled(self) -> Floats:
        """P(given label | image) from all sources together, float64 (n, k), read-only: see `log_pool`."""
        found = log_pool(list(self.distributions.values()), self.labels)
        found.flags.writeable = False  # every caller gets the same array
        return found


def gather_label_sources(
    parts: Mapping[str, ExaminedSplit], k: int, *, folds: int = 5, count: int = 20, seed: int
) -> dict[str, LabelSources]:
    """Ask every source about every split.

    Images of one group, such as those of one patient, do not judge each other (`judging_groups`).

    Args:
        parts: by split name.
        k: number of classes.
        folds: of the out-of-fold head.
        count: neighbours that vote.
        seed: of the folds, and of the sample of references where there are very many images.

    Raises:
        DeepSightError: a part has neither probabilities nor features.
    """
    sources = {name: model_source(name, part) for name, part in parts.items()}
    for space in dict.fromkeys(space for part in parts.values() for space in part.spaces()):
        held = {name: part for name, part in parts.items() if space in part.spaces()}
        labels = joined_rows([part.labels for part in held.values()])
        features = joined_rows([part.spaces()[space] for part in held.values()])
        groups = judging_groups(list(held.values()))
        head = out_of_fold_probabilities(features, labels, k, groups=groups, folds=folds, seed=seed)
        near = nearest_neighbours(features, count=count, groups=groups, seed=seed)
        votes = neighbour_vote(near, labels, k)
        ends = np.cumsum([len(part.labels) for part in held.values()])
        for (name, part), end in zip(held.items(), ends, strict=True):
            rows, suffix = slice(end - len(part.labels), end), "" if space == part.space else f" ({space})"
            sources[name] |= {f"head{suffix}": head[rows], f"neighbours{suffix}": votes[rows]}
    return {name: LabelSources(part.ids, part.labels, sources[name]) for name, part in parts.items()}


def judging_groups(parts: Sequence[ExaminedSplit]) -> Ints | None:
    """Which images of all parts must not judge each other, int64 (n,); None where no part has groups.

    Copies of one picture would vouch for the wrong label that they share. Where a class lies in one group
    only, nobody else could know it, so each of its images stands alone there, as without groups.
    """
    groups = joined_groups([part.groups for part in parts], [len(part.labels) for part in parts])
    if groups is None:
        return None
    labels = joined_rows([part.labels for part in parts])
    group = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    cells = np.unique(np.stack([labels, group]), axis=1)
    alone = np.bincount(cells[0])[labels] < 2  # in groups per class
    group[alone] = len(group) + np.flatnonzero(alone)
    return group


def model_source(name: str, part: ExaminedSplit) -> dict[str, Floats]:
    """The probabilities of the model and of further ones, if any.

    Raises:
        DeepSightError: the part has neither probabilities nor features.
    """
    if part.probabilities is None and not part.spaces() and not part.judges:
        raise DeepSightError(
            f"Expected probabilities or features for the labels of {name}, received neither."
        )
    own = {} if part.probabilities is None else {"model": part.probabilities}
    return own | dict(part.judges)


def joined_rows(arrays: Sequence[Any]) -> NDArray[Any]:
    """The rows of all, in a `scratch_array`; a single array is not copied."""
    if len(arrays) == 1:
        return np.asarray(arrays[0])
    shape = sum(map(len, arrays)), *arrays[0].shape[1:]
    return np.asarray(np.concatenate(arrays, out=scratch_array(shape, np.result_type(*arrays))))


def log_pool(sources: Sequence[Floats], labels: Ints) -> Floats:
    """A logarithmic opinion pool: softmax of Σ_m w_m log p_m, weights by likelihood of the labels.

    A single source is recalibrated by a temperature in the same way. The weights are as many as the sources,
    so fitting them on the labels that are judged does not leak those labels (Heskes 1998).

    Args:
        sources: m distributions (n, k), none of which has seen the label of its row.
        labels: int64 (n,), given.
    """
    logs = np.stack([np.log(np.maximum(source, SMALLEST)) for source in sources])
    rows = np.arange(len(labels))
    own = logs[:, rows, labels]

    def loss(weights: Floats) -> tuple[float, Floats]:
        mixed = log_softmax(np.tensordot(weights, logs, axes=1), axis=1)
        expected = np.einsum("mnk,nk->m", logs, np.exp(mixed)) / len(rows)
        return -float(mixed[rows, labels].mean()), expected - own.mean(axis=1)

    start = np.full(len(logs), 1 / len(logs))
    found = minimize(loss, start, jac=True, bounds=[(0, None)] * len(logs), method="L-BFGS-B")
    return np.asarray(softmax(np.tensordot(found.x, logs, axes=1), axis=1), dtype=np.float64)


def equal_pool(sources: Sequence[Floats], labels: Ints) -> Floats:
    """A logarithmic pool with equal weights, float64 (n, k): the geometric mean, recalibrated as a whole.

    For the doubt of people, equal weights are closer than those by likelihood of the labels, which favour the
    best source and suppress the others (docs/methods/ambiguity.md).

    Args:
        sources: m distributions (n, k), each recalibrated by itself (`log_pool` of it alone).
        labels: int64 (n,), given.
    """
    mean = np.mean([np.log(np.maximum(source, SMALLEST)) for source in sources], axis=0)
    return log_pool([np.asarray(softmax(mean, axis=1), dtype=np.float64)], labels)
