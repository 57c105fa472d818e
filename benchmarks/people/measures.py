"""How near a run's tables are to people: ranks, precision of flags and calibration."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import entropy, spearmanr
from sklearn.metrics import average_precision_score
from votes import Votes

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions

BINS = 10
DRAWS = 200  # bootstrap samples of the images, from which the standard errors come


@dataclass(frozen=True)
class Measured:
    """One setting.

    Attributes:
        votes: of people on the examined images, in the order of `given`.
        given: the examined model's predictions and the given labels.
        planted: bool (n,), labels that were made wrong.
    """

    votes: Votes
    given: Predictions
    planted: Bools

    def row(self, evidence: Evidence, split: str = "test") -> dict[str, object]:
        """All figures of this setting."""
        unsure, labels = (
            pl.DataFrame({"index": self.given.ids}).join(
                evidence[name].frame.filter(split=split), on="index", how="left", maintain_order="left"
            )
            for name in ("ambiguity", "label_errors")
        )
        total = evidence["label_error_summary"].frame.filter(split=split).row(0, named=True)
        score, wrong = unsure["score"].to_numpy(), labels["score"].to_numpy()
        return {
            "n": len(score),
            "accuracy": round(float((self.given.predicted == self.given.labels).mean()), 4),
            "errors": int((self.given.predicted != self.given.labels).sum()),
            **self.ranks(score, wrong),
            **self.among_errors(score),
            **self.spread(score, wrong),
            **self.calibration(score, unsure["people_differ"].to_numpy().astype(float), wrong),
            **self.flags(labels["flagged"].to_numpy(), total["estimated_precision"]),
            "estimated_wrong": round(total["estimated"], 1),
            "agreement": round(total["agreement"], 4),
        }

    def ranks(self, score: Floats, wrong: Floats) -> dict[str, float]:
        """Rank correlation with people's entropy, and average precision for outvoted labels."""
        p, people = self.given.probabilities, self.votes.entropy
        own = 1 - p[np.arange(len(p)), self.given.labels]
        outvoted = self.votes.against(self.given.labels, 2) | self.planted
        ours, theirs = (float(average_precision_score(outvoted, s)) for s in (wrong, own))
        return {
            "spearman": round(float(spearmanr(score, people).statistic), 4),
            "spearman_own_entropy": round(float(spearmanr(entropy(p, axis=1), people).statistic), 4),
            "outvoted": int(outvoted.sum()),
            "ap_outvoted": round(ours, 4),
            "ap_self_confidence": round(theirs, 4),
            "ap_ratio": round(ours / theirs, 3) if theirs else float("nan"),
        }

    def among_errors(self, score: Floats) -> dict[str, float]:
        """Base rate among the errors, and average precision over it, for readings of "people are split"."""
        error = self.given.predicted != self.given.labels
        readings = {
            "split": self.votes.split,
            "outvoted": self.votes.against(self.votes.official, 2),
            "three_ways": self.votes.three_ways,
        }
        found = {}
        for name, truth in readings.items():
            found[f"error_base_{name}"] = round(float(truth[error].mean()), 4)
            found[f"error_ratio_{name}"] = round(ratio_to_base(truth[error], score[error]), 3)
        return found

    def spread(self, score: Floats, wrong: Floats) -> dict[str, float]:
        """Standard errors over images of the three figures that have a bar, by bootstrap."""
        rng = np.random.default_rng(0)
        drawn = []
        for _ in range(DRAWS):
            rows = rng.integers(len(score), size=len(score))
            few = Measured(self.votes.select(rows), some_of(self.given, rows), self.planted[rows])
            ranks, errors = few.ranks(score[rows], wrong[rows]), few.among_errors(score[rows])
            gain = ranks["spearman"] - ranks["spearman_own_entropy"]
            drawn.append((gain, ranks["ap_ratio"], errors["error_ratio_split"]))
        error = np.nanstd(drawn, axis=0, ddof=1)
        names = ("se_spearman_gain", "se_ap_ratio", "se_error_ratio_split")
        return {name: round(float(value), 4) for name, value in zip(names, error, strict=True)}

    def tenths(self, evidence: Evidence, split: str = "test") -> list[dict[str, object]]:
        """The calibration of `people_differ`: a row for each tenth of the images, from clear to ambiguous."""
        unsure = pl.DataFrame({"index": self.given.ids}).join(
            evidence["ambiguity"].frame.filter(split=split), on="index", how="left", maintain_order="left"
        )
        stated, score = unsure["people_differ"].to_numpy().astype(float), unsure["score"].to_numpy()
        careful, crowd = self.votes.differ_beyond_slips(score), self.votes.pairs_differ
        return [
            {
                "tenth": number,
                "n": len(rows),
                "predicted": round(float(stated[rows].mean()), 4),
                "observed_careful": round(float(careful[rows].mean()), 4),
                "se": round(float(careful[rows].std(ddof=1) / np.sqrt(len(rows))), 4),
                "observed_crowd": round(float(crowd[rows].mean()), 4),
            }
            for number, rows in enumerate(np.array_split(np.argsort(stated, kind="stable"), BINS), start=1)
        ]

    def calibration(self, score: Floats, differ: Floats, wrong: Floats) -> dict[str, float]:
        """Expected calibration errors, in ten bins of equal numbers of images."""
        careful = self.votes.differ_beyond_slips(score)
        return {
            "ece_people_differ": round(calibration_error(differ, careful), 4),
            "mean_people_differ": round(float(differ.mean()), 4),
            "mean_careful": round(float(careful.mean()), 4),
            "mean_crowd": round(float(self.votes.pairs_differ.mean()), 4),
            "ece_label_wrong": round(calibration_error(wrong, self.truly_wrong().astype(float)), 4),
        }

    def truly_wrong(self) -> Bools:
        """Labels that were planted, or that all three people contradict."""
        return self.planted | self.votes.against(self.given.labels, 3)

    def flags(self, flagged: Bools, claimed: float | None) -> dict[str, object]:
        """Claimed against observed precision; observed too where two of three people count as a proof."""
        known, likely = self.truly_wrong(), self.planted | self.votes.against(self.given.labels, 2)
        any_flag = bool(flagged.any())
        return {
            "wrong": int(known.sum()),
            "flagged": int(flagged.sum()),
            "claimed": round(float(claimed), 3) if any_flag and claimed is not None else "",
            "observed": round(float(known[flagged].mean()), 3) if any_flag else "",
            "observed_two_of_three": round(float(likely[flagged].mean()), 3) if any_flag else "",
        }


def some_of(given: Predictions, rows: Ints) -> Predictions:
    """The predictions on some images."""
    return Predictions(given.ids[rows], given.labels[rows], given.logits[rows], given.features[rows])


def ratio_to_base(truth: Bools, score: Floats) -> float:
    """Average precision over the base rate, nan where nothing is to be found."""
    return float(average_precision_score(truth, score) / truth.mean()) if truth.any() else float("nan")


def calibration_error(stated: Floats, observed: Floats) -> float:
    """The mean gap between what is stated and what is observed, by tenths of the images."""
    order: Ints = np.argsort(stated, kind="stable")
    parts = np.array_split(order, BINS)
    return float(sum(abs((stated[rows] - observed[rows]).sum()) for rows in parts) / len(stated))
