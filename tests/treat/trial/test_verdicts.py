"""Verdicts on planted effects and on none."""

import numpy as np

from deepsight.core.evidence import Evidence
from deepsight.treat.treatments import mixing, weighted_loss
from deepsight.treat.treatments.base import Treatment
from deepsight.treat.trial.verdicts import (
    classes_table,
    judge_treatment,
    treatment_verdicts,
    treatments_table,
)
from made_arms import CLASSES, noisy

LABELS = np.repeat(np.arange(3), 300).astype(np.int64)
CONTROL = np.stack([noisy(LABELS, [0.3, 0.1, 0.1], s) for s in range(5)])


def judged(treatment: Treatment, rates: list[float], first: int = 0):  # type: ignore[no-untyped-def]
    arm = np.stack([noisy(LABELS, rates, first + s) for s in range(5)])
    return judge_treatment(treatment, LABELS, CONTROL, arm, 3, level=0.95)


def test_planted_effects_get_their_verdicts() -> None:
    judgements = [
        judged(weighted_loss.weighted_loss_treatment("weighted_loss", np.ones(3), [0]), [0.1, 0.1, 0.1]),
        judged(mixing.cutmix_treatment(), [0.6, 0.1, 0.1]),
        judged(mixing.mixup_treatment(), [0.3, 0.1, 0.1], first=100),
    ]
    found = treatment_verdicts(judgements, 0.95)
    assert found == {"weighted_loss": "helps", "cutmix": "harms", "mixup": "no difference shown"}
    table = treatments_table(judgements, CLASSES, n=900, seeds=5, level=0.95)
    assert table.frame["name"].to_list() == ["weighted_loss", "mixup", "cutmix"]
    assert table.frame["target"].to_list() == ["bird", "all", "all"]
    assert "weighted_loss helped" in table.caption
    assert Evidence({"treatments": table})["treatments"].n == 900


def test_a_class_that_pays_for_the_gain_is_named() -> None:
    judgement = judged(
        weighted_loss.weighted_loss_treatment("weighted_loss", np.ones(3), [0]), [0.02, 0.1, 0.45]
    )
    row = treatments_table([judgement], CLASSES, n=900, seeds=5, level=0.95).frame.row(0, named=True)
    assert row["worst_class"] == "dog"
    assert row["regressed"] == ["dog"]
    table = classes_table([judgement], CLASSES, n=900)
    assert table.frame.filter(name="weighted_loss")["class"].to_list() == list(CLASSES)
    assert table.caption.startswith("1 of 3")


def test_no_treatment_gives_an_empty_table() -> None:
    table = treatments_table([], CLASSES, n=900, seeds=5, level=0.95)
    assert len(table.frame) == 0
    assert "no treatment was shown to help" in table.caption
