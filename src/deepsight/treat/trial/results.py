"""The findings of a trial: the evidence tables, and the final test of a winner."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.core.predictions import Predictions
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.checkpoints import Checkpoints
from deepsight.treat.trial.final_test import run_final_test
from deepsight.treat.trial.schedule import TrialResults
from deepsight.treat.trial.store import Store
from deepsight.treat.trial.trial_plan import TrialPlan
from deepsight.treat.trial.verdicts import Judgement, classes_table, treatment_verdicts, treatments_table

LEVEL = 0.95  # of every interval and verdict of a trial


@dataclass(frozen=True)
class TrialFindings:
    """The findings of a trial.

    Attributes:
        evidence: the tables `treatments`, `treatment_classes`, `treatment_arms` and, if a treatment helped,
            `treatment_test`.
        winner: the treatment that helped most; None if none was shown to help.
        control, best: test predictions of the first seed of the control and of the winner, to diagnose both;
            None without a winner, since the test set is not used then.
    """

    evidence: Evidence
    winner: Treatment | None = None
    control: Predictions | None = None
    best: Predictions | None = None


def trial_findings(
    judgements: Sequence[Judgement],
    results: TrialResults,
    plan: TrialPlan,
    checkpoints: Checkpoints,
    store: Store,
    *,
    said: str = "",
) -> TrialFindings:
    """The tables, and the final test if a treatment helped; `said` states how arms differ from the run."""
    splits = checkpoints.config.splits
    n, classes = len(splits.validation), splits.classes
    effects = treatments_table(judgements, classes, n=n, seeds=plan.seeds, level=LEVEL)
    if said:
        effects = replace(effects, method=f"{effects.method} {said}")
    evidence = Evidence(
        {
            "treatments": effects,
            "treatment_classes": classes_table(judgements, classes, n=n),
            "treatment_arms": arms_table(results, plan, len(splits.train)),
        }
    )
    found = treatment_verdicts(judgements, LEVEL)
    helped = [j for j in judgements if found[j.treatment.name] == "helps"]
    if not helped:
        store.drop_weights(
            {CONTROL.name, *results.left_out}
        )  # another trial may finish the arms that ran out of time
        return TrialFindings(evidence)
    winner = max(helped, key=lambda j: j.macro.value).treatment
    opened = run_final_test(winner, plan.seeds, checkpoints=checkpoints, store=store, level=LEVEL)
    store.drop_weights({CONTROL.name, winner.name, *results.left_out})
    return TrialFindings(evidence.add(treatment_test=opened.table), winner, opened.control, opened.winner)


def arms_table(results: TrialResults, plan: TrialPlan, n: int) -> Table:
    """Evidence table `treatment_arms`: the cost of every arm, or why it has no result."""
    rows = [
        {
            "name": name,
            "status": "run",
            "seeds": len(outcomes),
            "steps": outcomes[0].steps,
            "seconds": sum(outcome.seconds for outcome in outcomes),
            "because": "",
        }
        for name, outcomes in results.outcomes.items()
    ]
    for status, reasons in (("failed", results.failed), ("left out", {**plan.left_out, **results.left_out})):
        rows += [
            {"name": name, "status": status, "seeds": 0, "steps": 0, "seconds": 0.0, "because": why}
            for name, why in reasons.items()
        ]
    frame = pl.DataFrame(rows)
    missing = frame.filter(pl.col("status") != "run")
    left = ", ".join(f"{name} ({why})" for name, why in missing.select("name", "because").iter_rows())
    return Table(
        frame=frame,
        units={
            "name": "treatment, or control",
            "status": "run, failed, left out",
            "seeds": "completed trainings",
            "steps": "optimiser steps per training",
            "seconds": "for all trainings",
            "because": "why there is no result",
        },
        n=n,
        method="All arms start from the linear probe. Each gets as many steps as fit in the time of the "
        "control's training on this machine.",
        caption=f"Not run: {left}." if left else f"All {len(frame)} arms ran.",
    )
