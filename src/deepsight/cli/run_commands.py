"""The commands that use a finished run: treat, compare, export, view."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deepsight.cli.options import RunFolder
from deepsight.cli.progress import progress, show
from deepsight.core.errors import DeepSightError

app = typer.Typer()


@app.command()
def treat(
    run_folder: RunFolder,
    minutes: Annotated[float, typer.Option(help="Time for the trial, in minutes; above 0.")] = 20.0,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A treatment to try; repeatable.", show_default="all that apply"),
    ] = None,
    min_treatments: Annotated[
        int,
        typer.Option(
            "--min-treatments",
            "--enough",
            min=1,
            help="Try at least this many treatments; if time is short, train each for fewer steps.",
        ),
    ] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table of treatments.")] = False,
) -> None:
    """Prescribe treatments for a run, test them against a control, and say which helped.

    Example:

        deepsight treat runs/first --minutes 20 --only mixup --only hard_examples
    """
    from deepsight.workflows.treat import treat as treat_run

    with progress(minutes=minutes) as log:
        evidence = treat_run(
            run_folder, minutes=minutes, names=only or (), min_treatments=min_treatments, log=log
        )
    rows = evidence["treatments"].frame.to_dicts()
    if as_json:
        show(json.dumps(rows, indent=2))
        return
    for row in rows:
        show(
            f"{row['name']}: {row['verdict']} ({100 * row['delta_macro_f1']:+.2f} points of macro-F1, "
            f"95 % interval {100 * row['ci_low']:+.2f} to {100 * row['ci_high']:+.2f})"
        )


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Two or more run folders on the same test images.", show_default=False),
    ],
    out: Annotated[
        Path | None, typer.Option(help="An HTML file to write, such as comparison.html.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare runs on the same test images: paired tests against the first, and which images changed.

    Examples:

        deepsight compare runs/first runs/second

        deepsight compare runs/first runs/second runs/third --out comparison.html
    """
    from deepsight.workflows.compare.many_runs import compare_many
    from deepsight.workflows.compare.two_runs import compare as compare_two

    found = compare_many(runs, out) if len(runs) != 2 or out else compare_two(*runs)
    main = found["differences" if "differences" in found else "comparison"].frame
    if as_json:
        show(json.dumps(main.to_dicts(), indent=2))
        return
    show(str(main))
    for table in found.values():
        show(table.caption)
    if out:
        show(str(out))


@app.command()
def export(
    run_folder: RunFolder,
    format: Annotated[str, typer.Option(help="onnx or torchscript.")] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write.", show_default="model.onnx or model.pt in the run folder"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the file's inputs and outputs.")] = False,
) -> None:
    """Write the model as one file that runs without DeepSight, and check it on real test images.

    The file takes RGB from 0 to 255 as float32 (n, 3, side, side) and returns logits (n, k). It normalises
    the pixels itself and holds the class names. It is kept only if its logits are within 1e-4 of the model's.

    Examples:

        deepsight export runs/first --format onnx

        deepsight export runs/first --format torchscript --out model.pt
    """
    from deepsight.workflows.publish.export import export_model, require_format

    with progress() as log:
        made = export_model(run_folder, format=require_format(format), file=out, log=log)
    if as_json:
        show(json.dumps(made, indent=2))
    else:
        show(
            f"{made['file']}: images float32 {made['input']['shape']}, RGB 0 to 255, to logits "
            f"{made['output']['shape']}; at most {made['largest_difference']:.1g} from the model's own on "
            f"{made['images']} test images."
        )


@app.command()
def view(run_folder: RunFolder) -> None:
    """Open the report of a run in the browser.

    Example:

        deepsight view runs/first
    """
    from deepsight.core.run import REPORT, Run

    report = Run.open(run_folder).file(REPORT)
    if report.is_symlink() or (report.exists() and not report.is_file()):
        raise DeepSightError(
            f"Expected {report} as a file of this run, but it leads elsewhere and is not opened. "
            f"Make it again: deepsight report {run_folder}"
        )
    if not report.exists():
        raise DeepSightError(f"Expected {report}, found none. Make it: deepsight report {run_folder}")
    typer.launch(report.resolve().as_uri())
    show(str(report))
