"""The effects and verdicts of all arms, as the evidence tables of a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import Effect, macro_f1
from deepsight.core.statistics.significance import holm
from deepsight.treat.treatments.base import Target, Treatment
from deepsight.treat.trial.effects import class_effects, macro_effect, target_effect

Arms = Mapping[str, NDArray[np.int64]]
"""Validation predictions (s, n) by name of the arm; row i has the same seed in every arm."""

METHOD = (
    "Paired by seed with a control that has no treatment, on validation. Variance over images and seeds by "
    "two-way clustering (Cameron et al. 2011); Student's interval with Satterthwaite's degrees of freedom, "
    "conservative (up to 99 %) where seeds add nothing to the images; Holm (1979) over the treatments."
)


@dataclass(frozen=True)
class Judgement:
    """All effects of one treatment.

    Attributes:
        treatment: the treatment.
        macro: the effect on macro-F1.
        target: the effect on its target.
        classes: the effect on the F1 of each class.
        score: mean macro-F1 of the arm.
    """

    treatment: Treatment
    macro: Effect
    target: Effect
    classes: tuple[Effect, ...]
    score: float


def judge_treatment(
    treatment: Treatment, labels: Ints, control: NDArray[np.int64], arm: NDArray[np.int64], k: int, *,
    level: float,
) -> Judgement:  # fmt: skip
    """Compare an arm with the control.

    Args:
        treatment: of the arm.
        labels: (n,), of the validation images.
        control, arm: predictions (s, n).
        k: number of classes.
        level: of the intervals.
    """
    macro = macro_effect(labels, control, arm, k, level=level)
    classes = class_effects(labels, control, arm, k, level=level)
    aimed = treatment.target != Target()
    target = target_effect(treatment.target, labels, control, arm, k, level=level) if aimed else macro
    own = float(np.mean([macro_f1(labels, one, k) for one in arm]))
    return Judgement(treatment, macro, target, classes, own)


def effect_verdict(effect: Effect, p_adjusted: float, level: float) -> str:
    """The verdict: helps, harms, or no difference shown."""
    if p_adjusted > 1 - level:
        return "no difference shown"
    return "helps" if effect.value > 0 else "harms"


def treatment_verdicts(judgements: Sequence[Judgement], level: float) -> dict[str, str]:
    """The verdict on macro-F1 by name of the treatment, adjusted for testing all of them."""
    adjusted = holm([j.macro.p_value for j in judgements])
    return {
        j.treatment.name: effect_verdict(j.macro, float(p), level)
        for j, p in zip(judgements, adjusted, strict=True)
    }


def treatments_table(
    judgements: Sequence[Judgement], classes: Sequence[str], *, n: int, seeds: int, level: float
) -> Table:
    """Evidence table `treatments`, the largest effect first.

    Args:
        judgements: one per treatment.
        classes: names of the k classes.
        n: validation images.
        seeds: trainings per arm.
        level: of the intervals and the verdicts.
    """
    macro = holm([j.macro.p_value for j in judgements])
    target = holm([j.target.p_value for j in judgements])
    rows = [
        treatment_row(j, classes, seeds, float(p), float(q), level)
        for j, p, q in zip(judgements, macro, target, strict=True)
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA).sort("delta_macro_f1", descending=True, maintain_order=True)
    helped = frame.filter(verdict="helps")["name"].to_list()
    said = f"{', '.join(helped)} helped" if helped else "no treatment was shown to help"
    return Table(frame, UNITS, n, METHOD, f"Over {seeds} seeds and {n:,} validation images, {said}.")


def treatment_row(
    judgement: Judgement, classes: Sequence[str], seeds: int, p_macro: float, p_target: float, level: float
) -> dict[str, Any]:
    """The row of one treatment."""
    macro, target = judgement.macro, judgement.target
    worst = min(range(len(classes)), key=lambda c: judgement.classes[c].value)
    low = judgement.classes[worst]
    by_class = holm([effect.p_value for effect in judgement.classes])
    regressed = [
        name
        for name, effect, p in zip(classes, judgement.classes, by_class, strict=True)
        if effect.value < 0 and p <= 1 - level
    ]
    return {
        "name": judgement.treatment.name,
        "target": judgement.treatment.target.describe(classes),
        "seeds": seeds,
        "delta_macro_f1": macro.value,
        "ci_low": macro.low,
        "ci_high": macro.high,
        "p_value": macro.p_value,
        "delta_target": target.value,
        "verdict": effect_verdict(macro, p_macro, level),
        "cause": judgement.treatment.cause,
        "macro_f1": judgement.score,
        "p_adjusted": p_macro,
        "minimum_detectable": macro.minimum_detectable,
        "target_ci_low": target.low,
        "target_ci_high": target.high,
        "target_p_adjusted": p_target,
        "target_verdict": effect_verdict(target, p_target, level),
        "worst_class": classes[worst],
        "worst_delta_f1": low.value,
        "worst_ci_low": low.low,
        "worst_ci_high": low.high,
        "regressed": regressed,
    }


UNITS = {
    "name": "treatment",
    "target": "classes or pairs of classes that it is meant to improve, or all",
    "seeds": "trainings of the arm and of the control",
    "delta_macro_f1": "macro-F1, treatment minus control, mean over seeds",
    "ci_low": "delta_macro_f1, low end",
    "ci_high": "delta_macro_f1, high end",
    "p_value": "two-sided, of no difference in macro-F1",
    "delta_target": "F1 of the classes of the target, treatment minus control",
    "verdict": "on macro-F1: helps, harms, no difference shown",
    "cause": "cause in the ledger that it is meant to reduce",
    "macro_f1": "mean over seeds, on validation",
    "p_adjusted": "p_value adjusted for all treatments (Holm)",
    "minimum_detectable": "true difference in macro-F1 that the trial would detect with a power of 0.8",
    "target_ci_low": "delta_target, low end",
    "target_ci_high": "delta_target, high end",
    "target_p_adjusted": "two-sided, of no difference on the target, adjusted for all treatments (Holm)",
    "target_verdict": "on the target: helps, harms, no difference shown",
    "worst_class": "class with the lowest difference in F1; chosen for it, so its interval is too narrow",
    "worst_delta_f1": "its F1, treatment minus control",
    "worst_ci_low": "worst_delta_f1, low end",
    "worst_ci_high": "worst_delta_f1, high end",
    "regressed": "classes whose F1 fell, adjusted for testing all classes (Holm)",
}

WORDS = {"name", "target", "verdict", "cause", "target_verdict", "worst_class"}
SCHEMA: dict[str, Any] = {
    **{name: pl.String if name in WORDS else pl.Float64 for name in UNITS},
    "seeds": pl.Int64,
    "regressed": pl.List(pl.String),
}


def classes_table(judgements: Sequence[Judgement], classes: Sequence[str], *, n: int) -> Table:
    """Evidence table `treatment_classes`: the effect of every treatment on every class."""
    rows = [
        {
            "name": judgement.treatment.name,
            "class": name,
            "delta_f1": effect.value,
            "ci_low": effect.low,
            "ci_high": effect.high,
            "p_value": effect.p_value,
            "p_adjusted": float(p),
        }
        for judgement in judgements
        for name, effect, p in zip(
            classes, judgement.classes, holm([e.p_value for e in judgement.classes]), strict=True
        )
    ]
    frame = pl.DataFrame(rows, schema=CLASS_SCHEMA)
    fallen = frame.filter((pl.col("delta_f1") < 0) & (pl.col("p_adjusted") <= 0.05))
    return Table(
        frame=frame,
        units=CLASS_UNITS,
        n=n,
        method=METHOD.replace("over the treatments", "over the classes of a treatment"),
        caption=f"{len(fallen)} of {len(frame)} combinations of treatment and class show a drop in F1.",
    )


CLASS_UNITS = {
    "name": "treatment",
    "class": "class name",
    "delta_f1": "F1, treatment minus control, mean over seeds",
    "ci_low": "delta_f1, low end",
    "ci_high": "delta_f1, high end",
    "p_value": "two-sided",
    "p_adjusted": "p_value adjusted for the classes of the treatment (Holm)",
}
CLASS_SCHEMA: dict[str, Any] = {
    name: pl.String if name in {"name", "class"} else pl.Float64 for name in CLASS_UNITS
}
