"""Which images may split people: how far independent sources are from one answer."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table
from deepsight.interpret.labels.sources import LabelSources, log_pool

Views = NDArray[np.floating]


def ambiguity_table(
    by_split: Mapping[str, LabelSources], classes: Sequence[str], *, views: Mapping[str, Views] | None = None
) -> Table:
    """How much people would differ on each image: evidence table `ambiguity`, the most ambiguous first.

    The score is the entropy of the pooled class distribution. A logarithmic pool is flat where sources or
    views disagree, so their disagreement counts. The given label does not, because no source has seen it: a
    wrong label on a clear image is not ambiguity.

    The pool mixes what the sources do not know with what people would differ over. `surest_differ` is the
    doubt that even the surest source has, each source recalibrated by itself: closer to the image's own.

    Args:
        by_split: what the sources say of each image, by split name.
        classes: names of the k classes.
        views: by split name, logits (v, n, k) of the model on v altered copies of every image, such as
            mirrored, shifted or resized; they are averaged with the model's own. NaN where it did not look.
    """
    given = views or {}
    frames = [ambiguity_of_split(name, each, classes, given.get(name)) for name, each in by_split.items()]
    frame = pl.concat(frames).sort("score", descending=True, maintain_order=True)
    return Table(
        frame=frame,
        units={
            "split": "split",
            "index": "row in the official order of the split",
            "score": "entropy of the pooled class distribution, as a share of the uniform one's",
            "two_differ": "probability that two draws from the pool differ",
            "surest_differ": "the same by the surest source, 0 to 1",
            "disagreement": "Jensen-Shannon divergence of the sources, nats",
            "first": "class name, likeliest",
            "second": "class name, second likeliest",
        },
        n=len(frame),
        method="Entropy of the logarithmic pool of model, views, out-of-fold heads and neighbours, weights "
        "by likelihood of the labels (Heskes 1998).",
        caption="Two draws from the pooled distribution differ on "
        f"{frame['two_differ'].to_numpy().mean():.1%} of the images on average. This is the models' doubt, "
        "not a count of votes.",
    )


def ambiguity_of_split(
    split: str, judged: LabelSources, classes: Sequence[str], views: Views | None
) -> pl.DataFrame:
    """One row per image: how ambiguous it is, how far the sources differ, and between which classes."""
    sources = list(with_views(judged, views).values())
    pooled = log_pool(sources, judged.labels)
    order, names = np.argsort(-pooled, axis=1, kind="stable"), np.array(classes)
    return pl.DataFrame(
        {
            "split": [split] * len(pooled),
            "index": judged.ids,
            "score": entropy(pooled, axis=1) / np.log(len(classes)),
            "two_differ": two_differ(pooled),
            "surest_differ": surest(sources, judged.labels),
            "disagreement": divergence(sources),
            "first": names[order[:, 0]],
            "second": names[order[:, 1]],
        }
    )


def two_differ(pooled: Floats) -> Floats:
    """The probability (n,) that two independent draws from a pooled (n, k) differ."""
    return np.asarray(1 - (pooled**2).sum(axis=1))


def surest(sources: Sequence[Floats], labels: Ints) -> Floats:
    """What `two_differ` is by the source that is surest of each image (n,), each recalibrated by itself."""
    return np.asarray(np.min([two_differ(log_pool([source], labels)) for source in sources], axis=0))


def divergence(sources: Sequence[Floats]) -> Floats:
    """Entropy of the mean of the sources less the mean of their entropies (n,), nats; 0 where they agree."""
    return np.asarray(entropy(np.mean(sources, axis=0), axis=1) - np.mean(entropy(sources, axis=2), axis=0))


def with_views(judged: LabelSources, views: Views | None) -> dict[str, Floats]:
    """The sources, with the model's distribution replaced by its geometric mean over the views."""
    sources = dict(judged.distributions)
    if views is not None:
        logs = log_softmax(np.asarray(views, dtype=np.float64), axis=2)
        own = [np.log(np.maximum(sources["model"], 1e-9))] if "model" in sources else []
        sources["model"] = softmax(np.nanmean([*own, *logs], axis=0), axis=1)
    return sources
