"""Ambiguous images: how far independent sources are from one answer."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table
from deepsight.interpret.labels.annotator_disagreement import two_people_differ
from deepsight.interpret.labels.label_errors import TRUSTED, agreement_with_labels
from deepsight.interpret.labels.label_noise import wrong_label_probabilities
from deepsight.interpret.labels.label_sources import LabelSources, equal_pool, log_pool

Views = NDArray[np.floating]


def ambiguity_table(
    by_split: Mapping[str, LabelSources], classes: Sequence[str], *, views: Mapping[str, Views] | None = None,
    wrong: Mapping[str, Floats] | None = None,
) -> Table:  # fmt: skip
    """How much people would differ on each image: evidence table `ambiguity`, the most ambiguous first.

    The score is the mean of two doubts: the entropy of the pooled class distribution, and one minus the
    pooled probability of the given label. The given label is one person's answer, so people may differ over
    an image whose label the sources find unlikely. The second doubt is weighted by the probability that the
    label is right: a wrong label on a clear image is not ambiguity.

    The pool mixes the sources' ignorance with genuine ambiguity. `people_differ` maps its doubt to the
    disagreement of annotators, as fitted to votes on other images. `surest_differ` is the doubt of the surest
    source, each source recalibrated by itself.

    Args:
        by_split: what the sources say of each image, by split name.
        classes: names of the k classes.
        views: by split name, logits (v, n, k) of the model on v altered copies of every image, such as
            mirrored, shifted or resized; they are averaged with the model's own. NaN where it did not look.
        wrong: by split name, the probability (n,) that each label is wrong, as far as known: that of the pool
            without views. A split with views has another pool, for which it is computed.
    """
    given, known = views or {}, wrong or {}
    frames = [
        ambiguity_of_split(name, each, classes, given.get(name), known.get(name))
        for name, each in by_split.items()
    ]
    frame = pl.concat(frames).sort("score", descending=True, maintain_order=True)
    return Table(
        frame=frame,
        units={
            "split": "split",
            "index": "row in the official order of the split",
            "score": "mean of the pool's entropy, as a share of the largest, and of its doubt of the label",
            "people_differ": "probability that two careful people give different answers; null where the "
            f"sources agree with fewer than {TRUSTED} of the labels and cannot tell",
            "two_differ": "probability that two draws from the pool differ",
            "surest_differ": "the same by the surest source, 0 to 1",
            "disagreement": "Jensen-Shannon divergence of the sources, nats",
            "first": "class name, likeliest",
            "second": "class name, second likeliest",
        },
        n=len(frame),
        method="Geometric mean of all sources (model, reference model, out-of-fold heads, neighbours), each "
        "recalibrated; its entropy, and its doubt of the given label as far as that is not held to be wrong. "
        "`people_differ`: by what three annotators' votes on other images showed.",
        caption=ambiguity_caption(frame),
    )


def ambiguity_caption(frame: pl.DataFrame) -> str:
    """The expected share of images on which two people differ, or that the sources cannot tell."""
    known = frame["people_differ"].drop_nulls().to_numpy()
    if not len(known):
        return (
            "Whether people would disagree is unknown: the sources themselves disagree with more than "
            f"{1 - TRUSTED:.0%} of the labels."
        )
    return (
        f"Two careful people are expected to differ on {known.mean():.1%} of {len(known):,} images. "
        "This is estimated from the doubt of models, and is not a count of votes."
    )


def ambiguity_of_split(
    split: str, judged: LabelSources, classes: Sequence[str], views: Views | None, wrong: Floats | None = None
) -> pl.DataFrame:
    """One row per image: its ambiguity, the divergence of the sources, and the classes in question.

    The arguments are as in `ambiguity_table`, of one split.
    """
    labels, sources = judged.labels, list(with_views(judged, views).values())
    alone = [log_pool([source], labels) for source in sources]
    pooled = equal_pool(alone, labels)
    order, names = np.argsort(-pooled, axis=1, kind="stable"), np.array(classes)
    if wrong is None or views is not None:
        wrong = wrong_label_probabilities(log_pool(sources, labels), labels)
    score, agreed = doubt(pooled, labels, wrong), agreement_with_labels(judged)
    unexplained = 1 - agreed - float(wrong.mean())
    differ = two_people_differ(score, unexplained).tolist() if agreed >= TRUSTED else [None] * len(score)
    return pl.DataFrame(
        {
            "split": [split] * len(pooled),
            "index": judged.ids,
            "score": score,
            "people_differ": pl.Series(differ, dtype=pl.Float64),
            "two_differ": two_differ(pooled),
            "surest_differ": np.min([two_differ(source) for source in alone], axis=0),
            "disagreement": divergence(sources),
            "first": names[order[:, 0]],
            "second": names[order[:, 1]],
        }
    )


def doubt(pooled: Floats, labels: Ints, wrong: Floats) -> Floats:
    """The mean of the pool's entropy, as a share of the largest, and its doubt of the label: (n,) in [0, 1].

    The doubt of the label counts as far as the label is not held to be wrong.

    Args:
        pooled: (n, k).
        labels: int64 (n,), given.
        wrong: (n,), the probability that each is wrong.
    """
    of_label = (1 - wrong) * (1 - pooled[np.arange(len(pooled)), labels])
    return np.asarray((entropy(pooled, axis=1) / np.log(pooled.shape[1]) + of_label) / 2)


def two_differ(pooled: Floats) -> Floats:
    """The probability (n,) that two independent draws from a pooled (n, k) differ."""
    return np.asarray(1 - (pooled**2).sum(axis=1))


def divergence(sources: Sequence[Floats]) -> Floats:
    """Jensen-Shannon divergence of the sources (n,), nats; 0 where they agree."""
    return np.asarray(entropy(np.mean(sources, axis=0), axis=1) - np.mean(entropy(sources, axis=2), axis=0))


def with_views(judged: LabelSources, views: Views | None) -> dict[str, Floats]:
    """The sources, with the model's distribution replaced by its geometric mean over the views."""
    sources = dict(judged.distributions)
    if views is not None:
        logs = log_softmax(np.asarray(views, dtype=np.float64), axis=2)
        own = [np.log(np.maximum(sources["model"], 1e-9))] if "model" in sources else []
        sources["model"] = softmax(np.nanmean([*own, *logs], axis=0), axis=1)
    return sources
