"""Which labels are wrong to nearly everyone: how surely, what they should be, and how many there are."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import norm

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import Interval
from deepsight.interpret.labels.label_noise import confident_joint, most_mistakes, transition, true_class
from deepsight.interpret.labels.sources import SMALLEST, LabelSources, log_pool

METHOD = (
    "Out-of-sample distributions of the given label (model, out-of-fold head, neighbours) in a logarithmic "
    "pool; calibrated on Bayes' rule with the noise of each class by confident learning (Northcutt 2021), "
    "and with no more wrong labels than planted ones leave room for."
)

# Sources that agree with fewer labels than this are themselves wrong too often. Measured on CIFAR-10N: an
# estimated precision of 0.80 was 0.80 at an agreement of 0.84, 0.69 at 0.76 and 0.24 at 0.54.
TRUSTED = 0.7


def label_error_tables(
    by_split: Mapping[str, LabelSources],
    classes: Sequence[str],
    *,
    precision: float = 0.8,
    level: float = 0.95,
) -> dict[str, Table]:
    """The evidence tables `label_errors`, the surest first, and `label_error_summary`.

    Args:
        by_split: what the sources say of each image, by split name.
        classes: names of the k classes.
        precision: images are flagged from the surest down, as long as the estimated share of true errors
            among them stays at least this. Nothing is flagged in a split where the sources agree with fewer
            than 0.7 of the labels.
        level: coverage of the interval of the number of errors.
    """
    frames = {name: label_errors_of_split(name, each, classes, precision) for name, each in by_split.items()}
    totals = [totals_of_split(name, frames[name], each, level) for name, each in by_split.items()]
    return {
        "label_errors": image_table(pl.concat(frames.values())),
        "label_error_summary": summary_table(pl.DataFrame(totals), level),
    }


def image_table(frame: pl.DataFrame) -> Table:
    """The evidence table `label_errors` from the rows of all splits."""
    return Table(
        frame=frame.sort("score", descending=True, maintain_order=True),
        units={
            "split": "split",
            "index": "row in the official order of the split",
            "given": "class name, as labelled",
            "suggested": "class name, the likeliest other than the given one",
            "score": "probability that the given label is wrong",
            "flagged": "whether a person should look",
        },
        n=len(frame),
        method=METHOD,
        caption=f"{frame['flagged'].sum():,} of {len(frame):,} labels are flagged as wrong.",
    )


def summary_table(frame: pl.DataFrame, level: float) -> Table:
    """The evidence table `label_error_summary` from a row for each split."""
    found = "; ".join(
        f"{row['split']}: {row['estimated']:.0f} ({row['ci_low']:.0f} to {row['ci_high']:.0f})"
        for row in frame.iter_rows(named=True)
    )
    return Table(
        frame=frame,
        units={
            "split": "split",
            "n": "images",
            "estimated": "wrong labels, estimated number",
            "ci_low": f"low end: the lowest estimate of any method, less chance at {level:.0%}",
            "ci_high": f"high end: the highest estimate of any method, plus chance at {level:.0%}",
            "agreement": f"share of labels that the pool would give too; below {TRUSTED} nothing is flagged",
            "flagged": "images",
            "estimated_precision": "estimated share of wrong labels among the flagged",
        },
        n=int(frame["n"].sum()),
        method=METHOD,
        caption=f"Estimated number of wrong labels, with its interval: {found}.",
    )


def label_errors_of_split(
    split: str, judged: LabelSources, classes: Sequence[str], precision: float
) -> pl.DataFrame:
    """A row for each image: how it is labelled, what else it may be, and how surely the label is wrong."""
    pooled, names = judged.pooled(), np.array(classes)
    score = probability_wrong(pooled, judged.labels)
    trusted = agreement(judged) >= TRUSTED
    pooled[np.arange(len(pooled)), judged.labels] = -1
    return pl.DataFrame(
        {
            "split": [split] * len(pooled),
            "index": judged.ids,
            "given": names[judged.labels],
            "suggested": names[pooled.argmax(axis=1)],
            "score": score,
            "flagged": flagged_at_precision(score, precision) & trusted,
        }
    )


def agreement(judged: LabelSources) -> float:
    """The share of images whose likeliest class in the pool is the given one."""
    return float((judged.pooled().argmax(axis=1) == judged.labels).mean())


def probability_wrong(pooled: Floats, labels: Ints) -> Floats:
    """The probability that each given label is wrong, (n,): the higher, the lower its pooled probability.

    Bayes with the noise of the class says how many labels are wrong, but is too sure of single images, since
    people's mistakes depend on the image too; the pooled probability ranks better. So the log-odds of the
    score are linear in those of the pooled probability, fitted to the Bayes probabilities, which keeps their
    mean (Platt 1999, with soft targets). Bayes takes the classifier's sure mistakes for wrong labels; where
    planted ones leave room for fewer, the prior is lowered to those, which moves all log-odds by one amount
    (Saerens, Latinne and Decaestecker 2002).

    Args:
        pooled: (n, k), P(given label | image), out of sample.
        labels: int64 (n,), given.
    """
    rows = np.arange(len(labels))
    bayes = 1 - true_class(pooled, labels, transition(labels, pooled))[rows, labels]
    own = np.clip(pooled[rows, labels], SMALLEST, 1 - SMALLEST)
    log_odds = np.log1p(-own) - np.log(own)

    def loss(line: Floats) -> float:
        at = line[0] + line[1] * log_odds
        return float((bayes * np.logaddexp(0, -at) + (1 - bayes) * np.logaddexp(0, at)).mean())

    found = minimize(loss, np.array([-2.0, 1.0]), method="L-BFGS-B", bounds=[(None, None), (SMALLEST, None)])
    return summing_to(most_mistakes(pooled, labels), found.x[0] + found.x[1] * log_odds)


def summing_to(most: float, log_odds: Floats) -> Floats:
    """Probabilities (n,) of these log-odds, all moved down by one amount where they sum to more than that."""
    if expit(log_odds).sum() <= most:
        return np.asarray(expit(log_odds), dtype=np.float64)
    lowest = -float(log_odds.max()) - 50  # here all are below 1e-21
    moved = brentq(lambda by: float(expit(log_odds + by).sum()) - most, lowest, 0.0)
    return np.asarray(expit(log_odds + moved), dtype=np.float64)


def flagged_at_precision(score: Floats, precision: float) -> NDArray[np.bool_]:
    """The largest set of surest images whose mean score is at least `precision`, bool (n,)."""
    order = np.argsort(-score, kind="stable")
    mean = np.cumsum(score[order]) / np.arange(1, len(score) + 1)
    chosen = np.zeros(len(score), dtype=bool)
    chosen[order[: np.count_nonzero(mean >= precision)]] = True
    return chosen


def totals_of_split(split: str, frame: pl.DataFrame, judged: LabelSources, level: float) -> dict[str, object]:
    """The totals of one split."""
    flagged = frame.filter(pl.col("flagged"))["score"]
    number = estimated_number(frame["score"].to_numpy(), judged, level)
    return {
        "split": split,
        "n": len(frame),
        "estimated": number.value,
        "ci_low": number.low,
        "ci_high": number.high,
        "agreement": agreement(judged),
        "flagged": len(flagged),
        "estimated_precision": flagged.mean(),
    }


def estimated_number(score: Floats, judged: LabelSources, level: float) -> Interval:
    """How many labels are wrong: the sum of the scores, with an interval, in images.

    What a classifier cannot see is a larger uncertainty than chance. So the interval runs from the lowest to
    the highest estimate: those of the pool, of each source alone, and of the confident joint. Chance is added
    at both ends: given the probabilities, the number is Poisson-binomial with variance Σ p (1 - p).
    """
    labels = judged.labels
    alone = [probability_wrong(log_pool([each], labels), labels) for each in judged.distributions.values()]
    joint = confident_joint(labels, judged.pooled())
    totals = np.array([joint.sum() - np.trace(joint), *(each.sum() for each in (score, *alone))])
    reach = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt((score * (1 - score)).sum()))
    low, high = float(totals.min()) - reach, float(totals.max()) + reach
    return Interval(float(score.sum()), max(0.0, low), min(float(len(score)), high))
