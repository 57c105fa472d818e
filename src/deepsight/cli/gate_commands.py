"""The command that checks gates on a finished run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from deepsight.cli.failures import Exit
from deepsight.cli.options import RunFolder
from deepsight.cli.progress import say, show

app = typer.Typer()


@app.command()
def check(
    run_folder: RunFolder,
    gate: Annotated[
        list[str],
        typer.Option(help="A condition, such as 'min recall >= 0.7'; repeatable.", show_default=False),
    ],
    junit: Annotated[
        Path | None,
        typer.Option(help="Where to write JUnit XML.", show_default="junit.xml in the run folder"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Check gates on a finished run; the exit status is 3 if one fails.

    A gate compares a metric with a bound: macro_f1, macro_f1_without_leaks, accuracy, calibration_error,
    near_duplicate_share, label_error_share, background_gap; or, with min, max, mean or a name in brackets,
    recall, precision, f1, slice_excess, slice_error_rate, group_accuracy and group_macro_f1. Add
    "by interval" to compare the cautious end of the interval.

    Examples:

        deepsight check runs/first --gate "min recall >= 0.7" --gate "near_duplicate_share <= 2 %"

        deepsight check runs/second --gate "no worse than runs/first by 0.01"

        deepsight check runs/first --gate "group_accuracy[site=B] >= 0.8" --gate "background is not biased"
    """
    require_gates(gate)
    if not judge(run_folder, gate, junit or run_folder / "junit.xml", quiet=as_json, as_json=as_json):
        raise typer.Exit(Exit.GATE)


def require_gates(gates: Sequence[str]) -> None:
    """Refuse malformed gates before any work is done.

    Raises:
        UsageError: a condition is not a gate.
    """
    if not gates:
        return
    from deepsight.workflows.gates.conditions import require_gate

    for gate in gates:
        require_gate(gate)


def judge(
    run_folder: Path, gates: Sequence[str], junit: Path, *, quiet: bool = False, as_json: bool = False
) -> bool:
    """Check the gates and report them as `report_results` does.

    Returns:
        Whether all passed.
    """
    from deepsight.workflows.gates.conditions import check_gates

    results = check_gates(run_folder, gates)
    if as_json:
        show(json.dumps([result.model_dump() for result in results], indent=2))
    return report_results(run_folder, [result.model_dump() for result in results], junit, quiet=quiet)


def report_results(
    run_folder: Path, records: Sequence[Mapping[str, Any]], junit: Path, *, quiet: bool = False
) -> bool:
    """Write junit.xml, annotate the CI run, and print one line per gate unless quiet.

    Returns:
        Whether all passed.
    """
    from deepsight.core.schemas.json_files import GateResult
    from deepsight.workflows.gates.reports import report_to_ci, write_junit

    results = [GateResult(**record) for record in records]
    write_junit(junit, results)
    for line in report_to_ci(run_folder, results):
        say(line) if quiet else show(line)
    for result in results if not quiet else ():
        show(f"{'passed' if result.passed else 'FAILED'}  {result.gate}: {result.says}")
    return all(result.passed for result in results)
