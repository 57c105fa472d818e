"""Gates: conditions on a run that a pipeline checks, on a value or the cautious end of its interval."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.files.lock import locked
from deepsight.core.predictions import Predictions
from deepsight.core.run import AUDIT, METRICS, REPORT, Run
from deepsight.core.schemas.json_files import GateResult
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from deepsight.report.html import render
from deepsight.workflows.compare.two_runs import groups_of_test
from deepsight.workflows.gates.gate_metrics import (
    AUDIT_METRIC_NAMES,
    METRIC_NAMES,
    PER_CLASS,
    Measured,
    is_audit,
    measured,
    required_table,
)
from deepsight.workflows.gates.wording import Asked, comparison_sentence, points

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
COMPARISON = re.compile(
    r"(?:(?P<aggregate>min|max|mean)\s+)?(?P<metric>[a-z_0-9]+)(?:\[(?P<of>[^\]]+)\])?\s*"
    rf"(?P<operator>>=|<=|>|<)\s*(?P<bound>{NUMBER})\s*(?P<percent>%)?\s*(?P<interval>by interval)?"
)
BASELINE = re.compile(rf"no worse than\s+(?P<run>.+?)(?:\s+by\s+(?P<margin>{NUMBER})\s*(?P<percent>%)?)?")
VERDICT = re.compile(r"background is (?P<negated>not )?(?P<verdict>clear|biased|inconclusive)", re.IGNORECASE)
SHARES = {*METRIC_NAMES, *(name for name in AUDIT_METRIC_NAMES if name.endswith("_share"))}
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
AGGREGATES: Mapping[str, Callable[[Sequence[Measured]], Measured]] = {
    "min": lambda values: min(values, key=lambda one: one.value),
    "max": lambda values: max(values, key=lambda one: one.value),
}
HOW = (
    "Write a gate as 'macro_f1 >= 0.8', 'min recall >= 0.7', 'recall[cat] >= 0.6 by interval', "
    "'background is not biased' or 'no worse than runs/first by 0.01'"
)


def check_gates(run: str | Path, gates: Sequence[str]) -> list[GateResult]:
    """Check each gate on a finished run or audit, and store the results in its metrics and its report.

    Args:
        run: the folder.
        gates: conditions such as "macro_f1 >= 0.8".

    Raises:
        UsageError: a gate is malformed; the message shows the form.
        DeepSightError: the run lacks the metric of a gate.
    """
    opened = Run.open(Path(run))
    file, stage = (AUDIT, "audit") if is_audit(opened) else (METRICS, "interpret")
    opened.require(file, stage=stage)
    with locked(opened.path):
        results = [check_gate(opened, gate) for gate in gates]
        noted = {"gates": [result.model_dump() for result in results]}
        opened.save_json(file, {**opened.read_json(file), **noted})
        report = opened.has(REPORT)
        if report:
            render(opened)  # the first screen shows the gates
        opened.commit("check", also=[REPORT] if report else ())
    return results


def check_gate(run: Run, gate: str) -> GateResult:
    """Check one gate."""
    text, found = require_gate(gate)
    checks = {BASELINE: check_baseline, VERDICT: check_verdict, COMPARISON: check_comparison}
    return checks[found.re](run, text, found)


def require_gate(gate: str) -> tuple[str, re.Match[str]]:
    """The gate with single spaces, and the match that holds its parts.

    Raises:
        UsageError: it is not a gate, or its metric is unknown.
    """
    text = " ".join(gate.replace("≥", ">=").replace("≤", "<=").split())
    found = BASELINE.fullmatch(text) or VERDICT.fullmatch(text) or COMPARISON.fullmatch(text)
    if found is None:
        raise UsageError(f"Expected a gate, received '{gate}'. {HOW}.")
    known = {**METRIC_NAMES, **AUDIT_METRIC_NAMES}
    if found.re is COMPARISON and found["metric"] not in known:
        raise UsageError(
            f"Expected a metric in the gate '{text}', received '{found['metric']}'; "
            f"{near_names(found['metric'], list(known))}"
        )
    if found.re is BASELINE or (found.re is COMPARISON and found["metric"] in SHARES):
        require_share(text, found["margin" if found.re is BASELINE else "bound"], found["percent"])
    return text, found


def require_share(text: str, bound: str | None, percent: str | None) -> None:
    """Refuse a bound beyond 1 for what is a share: such a gate would always hold, or never.

    Raises:
        UsageError: it is so.
    """
    value = float(bound or 0) / (100 if percent else 1)
    if not -1 <= value <= 1:
        raise UsageError(
            f"Expected a bound from 0 to 1, or in %, in the gate '{text}', received {bound}{percent or ''}."
            f"{'' if percent else f' Did you mean {bound} %?'}"
        )


def check_comparison(run: Run, text: str, found: re.Match[str]) -> GateResult:
    """Compare a metric with a bound."""
    metric, operator = found["metric"], found["operator"]
    one = the_measurement(run, text, metric, found["aggregate"], found["of"])
    bound = float(found["bound"]) / (100 if found["percent"] else 1)
    value = cautious_end(text, one, operator) if found["interval"] else one.value
    passed = OPERATORS[operator](value, bound)
    asked = Asked(metric, found["aggregate"], operator, bound, bool(found["interval"]))
    says = comparison_sentence(asked, one, passed=passed, audit=is_audit(run))
    return GateResult(gate=text, passed=passed, value=value, low=one.low, high=one.high, n=one.n, says=says)


def the_measurement(run: Run, text: str, metric: str, aggregate: str | None, of: str | None) -> Measured:
    """The measurement that a gate compares.

    Raises:
        UsageError: a metric with several values has neither min, max, mean nor a name, the name is unknown,
            or a metric with one value has any of these.
    """
    values = measured(run, metric)
    if metric not in PER_CLASS:
        if aggregate or of:
            raise UsageError(f"Expected '{metric}' alone in the gate '{text}': it has one value.")
        return values[0]
    if of:
        named = {one.name: one for one in values}
        if of not in named:
            raise UsageError(
                f"Expected a {PER_CLASS[metric]} in the gate '{text}', received '{of}'; "
                f"{near_names(of, list(named))}"
            )
        return named[of]
    if aggregate == "mean":
        mean = float(np.mean([one.value for one in values]))
        return Measured("", mean, None, None, sum(one.n for one in values))
    if aggregate is None:
        raise UsageError(
            f"Expected min, max or mean before '{metric}', or a {PER_CLASS[metric]} in brackets, "
            f"in the gate '{text}'. {HOW}."
        )
    return AGGREGATES[aggregate](values)


def cautious_end(text: str, one: Measured, operator: str) -> float:
    """The end of the interval that makes passing harder.

    Raises:
        UsageError: the value has no interval.
    """
    end = one.low if operator.startswith(">") else one.high
    if end is None:
        raise UsageError(f"Expected a value with an interval in the gate '{text}', but it has none.")
    return end


def check_verdict(run: Run, text: str, found: re.Match[str]) -> GateResult:
    """Check the verdict of the background test.

    Raises:
        DeepSightError: the background was not examined.
    """
    table = required_table(run, "context")
    rows = table.frame.filter(pl.col("test") == "swap", pl.col("class") == "all")
    if rows.is_empty():
        raise DeepSightError(f"Expected a verdict on the background in {run.path}, but it has none.")
    whole = rows.row(0, named=True)
    passed = (whole["verdict"] == found["verdict"].upper()) != bool(found["negated"])
    asked = f"{'anything but ' if found['negated'] else ''}{found['verdict'].upper()}"
    says = (
        f"The verdict on the background is {whole['verdict']}: backgrounds of other classes cost "
        f"{100 * whole['effect']:.1f} points of accuracy (95 % interval {100 * whole['ci_low']:.1f} to "
        f"{100 * whole['ci_high']:.1f}) on {table.n:,} images{'; ' if passed else ', but '}"
        f"the gate asks for {asked}."
    )
    return GateResult(
        gate=text, passed=passed, value=whole["effect"], low=whole["ci_low"], high=whole["ci_high"],
        n=table.n, says=says,
    )  # fmt: skip


def check_baseline(run: Run, text: str, found: re.Match[str]) -> GateResult:
    """A non-inferiority test of macro-F1 against another run on the same images.

    It passes if the low end of the paired 95 % interval of the difference is at least minus the margin.
    """
    margin = float(found["margin"] or 0) / (100 if found["percent"] else 1)
    if margin < 0:
        raise UsageError(f"Expected a margin of at least 0 in the gate '{text}'.")
    other = Run.open(Path(found["run"]))
    ours, theirs = run.predictions("test"), other.predictions("test")
    require_same_test(text, ours, theirs)
    rows, rows_there = np.argsort(ours.ids), np.argsort(theirs.ids)
    groups = groups_of_test(run, ours.ids)
    difference = paired_macro_f1(
        ours.labels[rows], theirs.predicted[rows_there], ours.predicted[rows], ours.k,
        groups=None if groups is None else groups[rows],
    )  # fmt: skip
    passed = difference.low >= -margin
    says = (
        f"Macro-F1 differs by {points(difference.value)} points (95 % interval {points(difference.low)} to "
        f"{points(difference.high)}) from {found['run']} on the same {len(ours):,} images"
        f"{'; ' if passed else ', but '}the gate asks for at least {-100 * margin or 0:.10g} points at the "
        "low end."
    )
    return GateResult(
        gate=text, passed=passed, value=difference.low, low=difference.low, high=difference.high,
        n=len(ours), says=says,
    )  # fmt: skip


def require_same_test(text: str, ours: Predictions, theirs: Predictions) -> None:
    """Refuse a baseline on other images or labels.

    Raises:
        DeepSightError: the ids, labels or number of classes differ.
    """
    a, b = np.argsort(ours.ids), np.argsort(theirs.ids)
    same = len(a) == len(b) and ours.k == theirs.k
    if not (same and (ours.ids[a] == theirs.ids[b]).all() and (ours.labels[a] == theirs.labels[b]).all()):
        raise DeepSightError(
            f"Expected a baseline on the same test images and labels in the gate '{text}', received others."
        )
