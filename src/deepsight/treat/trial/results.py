"""What a trial found: the evidence tables, and the test set opened for a winner."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.core.predictions import Predictions
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.arm import Store
from deepsight.treat.trial.checkpoints import Starts
from deepsight.treat.trial.cost_model import TrialPlan
from deepsight.treat.trial.final_test import open_test
from deepsight.treat.trial.schedule import Ran
from deepsight.treat.trial.verdicts import Judgement, classes_table, treatments_table, verdicts

LEVEL = 0.95  # of every interval and verdict of a trial


@dataclass(frozen=True)
class TrialFindings:
    """What a trial found.

    Attributes:
        evidence: the tables `treatments`, `treatment_classes`, `treatment_arms` and, where a treatment
            helped, `treatment_test`.
        winner: the treatment that helped most; None where none was shown to help.
        control, best: what the first seed of the control and of the winner say of the test images, for the
            diagnosis of both; None without a winner, since test is then not opened.
    """

    evidence: Evidence
    winner: Treatment | None = None
    control: Predictions | None = None
    best: Predictions | None = None


def findings(
    judgements: Sequence[Judgement],
    ran: Ran,
    plan: TrialPlan,
    starts: Starts,
    store: Store,
    *,
    said: str = "",
) -> TrialFindings:
    """The tables, and the test set opened if a treatment helped; `said` is how arms differ from the run."""
    splits = starts.setting.splits
    n, classes = len(splits.validation), splits.classes
    effects = treatments_table(judgements, classes, n=n, seeds=plan.seeds, level=LEVEL)
    if said:
        effects = replace(effects, method=f"{effects.method} {said}")
    evidence = Evidence(
        {
            "treatments": effects,
            "treatment_classes": classes_table(judgements, classes, n=n),
            "treatment_arms": arms_table(ran, plan, len(splits.train)),
        }
    )
    found = verdicts(judgements, LEVEL)
    helped = [j for j in judgements if found[j.treatment.name] == "helps"]
    if not helped:
        store.drop_weights({CONTROL.name, *ran.left_out})  # another trial may finish what time cut off
        return TrialFindings(evidence)
    winner = max(helped, key=lambda j: j.macro.value).treatment
    opened = open_test(winner, plan.seeds, starts=starts, store=store, level=LEVEL)
    store.drop_weights({CONTROL.name, winner.name, *ran.left_out})
    return TrialFindings(evidence.add(treatment_test=opened.table), winner, opened.control, opened.winner)


def arms_table(ran: Ran, plan: TrialPlan, n: int) -> Table:
    """Evidence table `treatment_arms`: every arm with its cost, or why it has no result."""
    rows = [
        {
            "name": name,
            "status": "run",
            "seeds": len(outcomes),
            "steps": outcomes[0].steps,
            "seconds": sum(outcome.seconds for outcome in outcomes),
            "because": "",
        }
        for name, outcomes in ran.outcomes.items()
    ]
    for status, reasons in (("failed", ran.failed), ("left out", {**plan.left_out, **ran.left_out})):
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
            "seeds": "trainings that count",
            "steps": "steps of the optimiser, each",
            "seconds": "of all trainings together",
            "because": "why it has no result",
        },
        n=n,
        method="All arms start from the end of the frozen phase; steps are allotted so that each training "
        "costs what the control's costs on this machine.",
        caption=f"Not run: {left}." if left else f"All {len(frame)} arms were run.",
    )
