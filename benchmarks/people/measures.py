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
            **self.ranks(score, wrong),
            **self.among_errors(score),
            **self.calibration(score, unsure["people_differ"].to_numpy().astype(float), wrong),
            **self.flags(labels["flagged"].to_numpy(), total["estimated_precision"]),
            "estimated_wrong": round(total["estimated"], 1),
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
            "ap_ratio": round(ours / theirs, 3),
        }

    def among_errors(self, score: Floats) -> dict[str, float]:
        """Average precision over base rate among the errors, for two readings of "people are split"."""
        error = self.given.predicted != self.given.labels
        readings = {"split": self.votes.split, "outvoted": self.votes.against(self.votes.official, 2)}
        return {
            f"error_ratio_{name}": round(
                float(average_precision_score(truth[error], score[error]) / truth[error].mean()), 3
            )
            for name, truth in readings.items()
        }

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


def calibration_error(stated: Floats, observed: Floats) -> float:
    """The mean gap between what is stated and what is observed, by tenths of the images."""
    order: Ints = np.argsort(stated, kind="stable")
    parts = np.array_split(order, BINS)
    return float(sum(abs((stated[rows] - observed[rows]).sum()) for rows in parts) / len(stated))
