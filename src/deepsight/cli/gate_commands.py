"""The command that checks gates on a finished run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deepsight.cli.failures import Exit
from deepsight.cli.options import RunFolder
from deepsight.cli.progress import show

app = typer.Typer()


@app.command()
def check(
    run_folder: RunFolder,
    gate: Annotated[
        list[str],
        typer.Option(
            help="A condition, such as 'min recall >= 0.7'; may be given again.", show_default=False
        ),
    ],
    junit: Annotated[
        Path | None,
        typer.Option(help="Where to write JUnit XML.", show_default="junit.xml in the run folder"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Check gates on a finished run; ends with status 3 if one fails.

    A gate compares a metric with a bound: macro_f1, macro_f1_without_leaks, accuracy, calibration_error,
    near_duplicate_share, label_error_share, background_gap; or, with min, max, mean or a name in brackets,
    recall, precision, f1 and slice_excess. Add "by interval" to compare the cautious end of the interval.

    Examples:

        deepsight check runs/first --gate "min recall >= 0.7" --gate "near_duplicate_share <= 2 %"

        deepsight check runs/second --gate "no worse than runs/first by 0.01"
    """
    from deepsight.workflows.gate_reports import report_to_ci, write_junit
    from deepsight.workflows.gates import check_gates

    results = check_gates(run_folder, gate)
    write_junit(junit or run_folder / "junit.xml", results)
    for line in report_to_ci(run_folder, results):
        show(line)
    if as_json:
        show(json.dumps([result.record() for result in results], indent=2))
    else:
        for result in results:
            show(f"{'passed' if result.passed else 'FAILED'}  {result.gate}: {result.says}")
    if not all(result.passed for result in results):
        raise typer.Exit(Exit.GATE)
