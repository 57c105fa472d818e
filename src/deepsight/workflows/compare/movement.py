"""What differs between runs besides the score: causes of errors, levers, and settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from deepsight.core.evidence import Table
from deepsight.core.run import Run
from deepsight.report.provenance import flatten

PREDICTED = ("predicted_seconds", "predicted_peak_mb")  # in the plan, but not settings


def causes_table(runs: Sequence[Run], names: Sequence[str]) -> Table | None:
    """The share of each cause of errors in each run; None if fewer than two runs have a ledger."""
    rows = [row for run, name in zip(runs, names, strict=True) for row in cause_rows(run, name)]
    if len({row["run"] for row in rows}) < 2:
        return None
    frame = pl.DataFrame(rows)
    spread = frame.group_by("cause", maintain_order=True).agg(
        span=pl.col("share").max() - pl.col("share").min()
    )
    most = spread.sort("span", descending=True).row(0, named=True)
    return Table(
        frame=frame,
        units={
            "cause": "name in the ledger", "run": "name", "share": "of the errors of the run, 0 to 1",
            "ci_low": "95 % interval, low end", "ci_high": "95 % interval, high end",
            "errors": "errors of the run",
        },
        n=sum({row["run"]: row["errors"] for row in rows}.values()),
        method="The ledger of each run.",
        caption=f"“{most['cause']}” changes most: its share differs by {100 * most['span']:.0f} points.",
    )  # fmt: skip


def cause_rows(run: Run, name: str) -> list[dict[str, Any]]:
    """The causes of one run."""
    evidence = run.evidence()
    if "ledger_shares" not in evidence:
        return []
    table = evidence["ledger_shares"]
    kept = ("cause", "share", "ci_low", "ci_high")
    return [
        {"cause": row["cause"], "run": name, **{key: row[key] for key in kept[1:]}, "errors": table.n}
        for row in table.frame.iter_rows(named=True)
    ]


def levers_of_runs_table(runs: Sequence[Run], names: Sequence[str]) -> Table | None:
    """The net effect of each lever in each run; None if fewer than two runs tried any."""
    rows = [
        {"name": row["name"], "run": name, "net": row["net"], "ci_low": row["ci_low"],
         "ci_high": row["ci_high"], "verdict": row["verdict"]}
        for run, name in zip(runs, names, strict=True)
        if "levers" in (evidence := run.evidence())
        for row in evidence["levers"].frame.iter_rows(named=True)
    ]  # fmt: skip
    if len({row["run"] for row in rows}) < 2:
        return None
    helping = {
        name: sum(row["verdict"] == "helps" for row in rows if row["run"] == name)
        for name in dict.fromkeys(row["run"] for row in rows)
    }
    said = ", ".join(f"{count} in {name}" for name, count in helping.items())
    return Table(
        frame=pl.DataFrame(rows),
        units={
            "name": "name of the lever", "run": "name", "net": "share of the errors fixed, less broken",
            "ci_low": "95 % interval, low end", "ci_high": "95 % interval, high end", "verdict": "in words",
        },
        n=max(run.evidence()["levers"].n for run in runs if "levers" in run.evidence()),
        method="The levers of each run.", caption=f"Levers that help: {said}.",
    )  # fmt: skip


def settings_table(runs: Sequence[Run], names: Sequence[str]) -> Table:
    """The settings that differ, one column per run."""
    settings = [dict(flatten(settings_of(run))) for run in runs]
    every = list(dict.fromkeys(name for one in settings for name in one))
    differing = [name for name in every if len({one.get(name) for one in settings}) > 1]
    columns: dict[str, list[str | None]] = {"setting": list(differing)}
    columns |= {
        name: [one.get(setting) for setting in differing] for name, one in zip(names, settings, strict=True)
    }
    schema: dict[str, Any] = dict.fromkeys(columns, pl.String)
    return Table(
        frame=pl.DataFrame(columns, schema=schema),
        units={"setting": "name", **dict.fromkeys(names, "value, empty where it is not set")},
        n=len(every),
        method="study.yaml, and the versions and the machine in environment.json.",
        caption=f"{len(differing)} of {len(every)} settings differ.",
    )


def settings_of(run: Run) -> dict[str, Any]:
    """The settings of a run and its machine, without the plan's predictions."""
    study = run.study()
    plan: Mapping[str, Any] = study.get("plan") or {}
    machine = run.read_json("environment.json") if run.has("environment.json") else {}
    kept = {name: value for name, value in plan.items() if name not in PREDICTED}
    return {**study, "plan": kept, "machine": machine}
