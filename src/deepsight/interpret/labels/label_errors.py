"""Label errors: how probable each is, what the label should be, and how many there are."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Evidence, Table
from deepsight.core.statistics.intervals import Interval
from deepsight.interpret.labels.label_noise import (
    WrongLabels,
    confident_joint,
    find_wrong_labels,
    wrong_label_probabilities,
)
from deepsight.interpret.labels.label_sources import SMALLEST, LabelSources, log_pool

METHOD = (
    "Out-of-sample distributions of the given label (models, out-of-fold heads, neighbours) in a logarithmic "
    "pool; a mixture of labels that the pool predicts and of mistakes as people make them, by maximum "
    "likelihood. Only surprises beyond those that the pool predicts count as wrong. How often the least "
    "likely classes are the label shows how many labels are wrong at random. The precision stated for the "
    "flagged was measured on labels with mistakes of people and with mistakes at random."
)

# Sources that agree with fewer labels than this are wrong too often themselves. Measured on CIFAR-10N: an
# estimated precision of 0.80 was 0.80 at an agreement of 0.84, 0.69 at 0.76 and 0.24 at 0.54.
TRUSTED = 0.7

# Images are flagged while their mean score is at least this. The score is calibrated over all images but not
# among the flagged, so the precision stated for those comes from `claimed_precision`.
CLAIMED = 0.7

# Fewer flags than these cannot be told from the sources' own rare confident mistakes. With 0.5 % of people's
# mistakes in 10,000 labels, 28 to 45 were flagged with a precision of 0.44 to 0.69: no claim held for them.
FEWEST_SHARE = 0.005
FEWEST = 3

# Log-odds that a flagged label is wrong: a constant, times the log of the flagged share over 1 %, times the
# log-odds of the mean score. The more labels are wrong, the less the sources' own mistakes count among the
# flagged, up to a share of 4 %. Fitted to 45 sets of flags with 2 to 18 % of people's mistakes (CIFAR-10N,
# training rows before 12,000); docs/methods/label_errors.md holds how it does on other rows.
CLAIM = (-0.25, 0.4, 1.4)
MOST_SHARE = 0.04

# Weight of the score, in flags, where the claimed precision would exceed it. In small sets of labels that are
# wrong at random, 0.60 were wrong where the score said 0.70 (benchmarks/statistics).
ENOUGH = 100


def label_error_tables(
    by_split: Mapping[str, LabelSources],
    classes: Sequence[str],
    *,
    wrong: Mapping[str, WrongLabels] | None = None,
    precision: float = CLAIMED,
    level: float = 0.95,
) -> dict[str, Table]:
    """The evidence tables `label_errors`, the highest score first, and `label_error_summary`.

    Args:
        by_split: the sources' distributions for each image, by split name.
        classes: names of the k classes.
        wrong: the result of `wrong_labels_by_split`, if it is known already.
        precision: images are flagged from the surest down, as long as the estimated share of true errors
            among them stays at least this. Nothing is flagged in a split where the sources agree with fewer
            than 0.7 of the labels, or where fewer than 0.5 % of the labels would be.
        level: coverage of the interval of the number of errors.
    """
    wrong = wrong_labels_by_split(by_split) if wrong is None else wrong
    frames = {
        name: label_errors_of_split(name, each, classes, precision, wrong=wrong[name])
        for name, each in by_split.items()
    }
    totals = [
        totals_of_split(name, frames[name], each, wrong[name], level) for name, each in by_split.items()
    ]
    return {
        "label_errors": label_errors_table(pl.concat(frames.values())),
        "label_error_summary": summary_table(pl.DataFrame(totals), level),
    }


def wrong_labels_by_split(by_split: Mapping[str, LabelSources]) -> dict[str, WrongLabels]:
    """How surely each label is wrong by the pool of the sources, by split name."""
    return {name: find_wrong_labels(each.pooled, each.labels) for name, each in by_split.items()}


def label_errors_table(frame: pl.DataFrame) -> Table:
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
        f"{row['split']}: {row['estimated']:.0f} ({row['ci_low']:.0f} to {row['ci_high']:.0f}), "
        f"{flags_in_words(row['flagged'], row['estimated_precision'])}"
        for row in frame.iter_rows(named=True)
    )
    return Table(
        frame=frame,
        units={
            "split": "split",
            "n": "images",
            "estimated": "estimated number of wrong labels",
            "ci_low": f"the lowest estimate of any method, less chance at {level:.0%}",
            "ci_high": f"the highest estimate of any method, plus chance at {level:.0%}",
            "agreement": f"share of labels that the pool predicts too; below {TRUSTED} nothing is flagged",
            "flagged": "images",
            "estimated_precision": "estimated share of wrong labels among the flagged, by what votes of "
            "people on other images showed for as many flags",
        },
        n=int(frame["n"].sum()),
        method=METHOD,
        caption=f"Estimated number of wrong labels, with its interval: {found}.",
    )


def flags_in_words(flagged: int, precision: float | None) -> str:
    """How many labels are flagged, and what share of them is estimated to be wrong."""
    if not flagged or precision is None:
        return "none flagged, since too few stand out to be told from the sources' own mistakes"
    return f"{flagged:,} flagged, of which about {precision:.0%} are wrong"


def label_errors_of_split(
    split: str,
    judged: LabelSources,
    classes: Sequence[str],
    precision: float,
    *,
    wrong: WrongLabels | None = None,
) -> pl.DataFrame:
    """A row for each image: given label, suggested label, and the probability that the given one is wrong.

    Args:
        split: name of the split.
        judged: the sources' distributions.
        classes: names of the k classes.
        precision: as in `label_error_tables`.
        wrong: the result of `find_wrong_labels` for the pool of the sources, if it is known already.
    """
    pooled, names = judged.pooled.copy(), np.array(classes)
    found = wrong or find_wrong_labels(pooled, judged.labels)
    score, expected = found.probability, 1 - found.at_random * float(found.probability.mean())
    trusted = agreement_with_labels(judged) >= TRUSTED * expected
    pooled[np.arange(len(pooled)), judged.labels] = -1
    return pl.DataFrame(
        {
            "split": [split] * len(pooled),
            "index": judged.ids,
            "given": names[judged.labels],
            "suggested": names[pooled.argmax(axis=1)],
            "score": score,
            "flagged": flagged_labels(score, precision) & trusted,
        }
    )


def agreement_with_labels(judged: LabelSources) -> float:
    """The share of images whose likeliest class in the pool is the given one."""
    return float((judged.pooled.argmax(axis=1) == judged.labels).mean())


def flagged_in_training(evidence: Evidence, ids: Ints) -> NDArray[np.bool_]:
    """Which training images have a flagged label, bool (n,); none if labels were not examined.

    Args:
        evidence: may hold the table `label_errors`.
        ids: int64 (n,), rows in the official order of train.
    """
    table = evidence.get("label_errors")
    if table is None:
        return np.zeros(len(ids), dtype=bool)
    flagged = table.frame.filter(pl.col("flagged") & (pl.col("split") == "train"))["index"].to_numpy()
    return np.asarray(np.isin(ids, flagged))


def flagged_labels(score: Floats, precision: float) -> NDArray[np.bool_]:
    """The flagged labels, bool (n,); none where too few stand out from the sources' own mistakes."""
    found = flagged_at_precision(score, precision)
    return found if found.sum() >= max(FEWEST, FEWEST_SHARE * len(score)) else np.zeros_like(found)


def flagged_at_precision(score: Floats, precision: float) -> NDArray[np.bool_]:
    """The largest set of surest images whose mean score is at least `precision`, bool (n,)."""
    order = np.argsort(-score, kind="stable")
    mean = np.cumsum(score[order]) / np.arange(1, len(score) + 1)
    chosen = np.zeros(len(score), dtype=bool)
    chosen[order[: np.count_nonzero(mean >= precision)]] = True
    return chosen


def claimed_precision(score: Floats, n: int) -> float | None:
    """The estimated share of flagged labels that are wrong, fitted to votes of people; None without flags.

    Where it exceeds the mean score, the excess is shrunk, the more the fewer the flags.

    Args:
        score: (m,), of the flagged images.
        n: images of the split.
    """
    if not len(score):
        return None
    constant, by_share, by_score = CLAIM
    stated = float(logit(np.clip(score.mean(), SMALLEST, 1 - SMALLEST)))
    share = min(len(score) / n, MOST_SHARE)
    shown = constant + by_share * float(np.log(share / 0.01)) + by_score * stated
    trust = len(score) / (len(score) + ENOUGH) if shown > stated else 1.0
    return float(expit(stated + trust * (shown - stated)))


def totals_of_split(
    split: str, frame: pl.DataFrame, judged: LabelSources, wrong: WrongLabels, level: float
) -> dict[str, object]:
    """The totals of one split."""
    flagged = frame.filter(pl.col("flagged"))["score"]
    number = estimated_number(wrong, judged, level)
    return {
        "split": split,
        "n": len(frame),
        "estimated": number.value,
        "ci_low": number.low,
        "ci_high": number.high,
        "agreement": agreement_with_labels(judged),
        "flagged": len(flagged),
        "estimated_precision": claimed_precision(flagged.to_numpy(), len(frame)),
    }


def estimated_number(wrong: WrongLabels, judged: LabelSources, level: float) -> Interval:
    """How many labels are wrong: the sum of the scores, with an interval, in images.

    The systematic error of a classifier is a larger uncertainty than chance. So the interval runs from the
    lowest to the highest estimate: those of the pool, of each source alone, and of the confident joint.
    Chance is added at both ends: given the probabilities, the number is Poisson-binomial with variance
    Σ p (1 - p), and their mean is as uncertain as the fitted share of mistakes.
    """
    labels, score = judged.labels, wrong.probability
    alone = [
        wrong_label_probabilities(log_pool([each], labels), labels) for each in judged.distributions.values()
    ]
    joint = confident_joint(labels, judged.pooled)
    totals = np.array([joint.sum() - np.trace(joint), *(each.sum() for each in (score, *alone))])
    of_share = len(score) * wrong.share_error
    chance = float(np.sqrt((score * (1 - score)).sum() + of_share**2))
    reach = float(norm.ppf(0.5 + level / 2)) * chance
    low, high = float(totals.min()) - reach, float(totals.max()) + reach
    return Interval(float(score.sum()), max(0.0, low), min(float(len(score)), high))
