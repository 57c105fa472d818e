"""The commands that use a finished run: treat, compare, predict, export, view."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from deepsight.cli.options import Engine, RunFolder
from deepsight.cli.progress import first_process, progress, show
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log

app = typer.Typer()
RejectBelow = Annotated[
    float, typer.Option(help="Reject images whose calibrated confidence is below this.", min=0, max=1)
]
RejectUnfamiliar = Annotated[
    float,
    typer.Option(
        help="Reject images at or above this unfamiliarity, a quantile of validation; 2 rejects none.",
        min=0,
    ),
]


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


def note_comparison(run: Path, earlier: Path, log: Log) -> None:
    """Compare a run with an earlier one on another version of its data; only the first process does."""
    from deepsight.workflows.compare.with_earlier import compare_with_earlier

    if first_process():
        compare_with_earlier(run, earlier, log=log)


@app.command()
def predict(
    run_folder: RunFolder,
    images: Annotated[
        list[str],
        typer.Argument(help="Files, folders, patterns, a CSV of files, or - for stdin.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write a table, for any number of images: .csv, .jsonl or .parquet."),
    ] = None,
    reject_below: RejectBelow = 0.0,
    reject_unfamiliar: RejectUnfamiliar = 0.99,
    engine: Engine = "local",
    maps: Annotated[
        Path | None, typer.Option(help="Folder for the pictures.", show_default="predicted in the run folder")
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Nearest training images to show; 0 for none.", min=0)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Classify images: label, confidence, evidence map and nearest training images.

    With --out, write a table instead: calibrated probabilities, rejections, and how unlike the training
    images each image is. The first call runs up to 5,000 training images through the model; the run folder
    keeps the result.

    Examples:

        deepsight predict runs/first photo.jpg other.png

        deepsight predict runs/first photo.jpg --maps pictures --neighbours 0 --json

        deepsight predict runs/first new "more/*.jpg" --out predictions.csv --reject-below 0.8

        deepsight predict runs/first new --out predictions.parquet --engine ray
    """
    from deepsight.workflows.predict.image_paths import expand_paths
    from deepsight.workflows.predict.predict import predict as predict_files

    if out is not None:
        write_table(run_folder, images, out, reject_below, reject_unfamiliar, engine)
        return
    if engine != "local":
        raise UsageError("Expected --out with --engine: maps of single images are made on this machine only.")
    with progress() as log:
        rows = predict_files(run_folder, expand_paths(images), maps=maps, neighbours=neighbours, log=log)
    if as_json:
        show(json.dumps(rows, indent=2))
    else:
        show("\n".join(sentence for row in rows for sentence in sentences(row)))


def write_table(
    run_folder: Path, images: Sequence[str], out: Path, reject_below: float, reject_unfamiliar: float,
    engine: str,
) -> None:  # fmt: skip
    """Classify any number of images into a table, and say what became of them."""
    from deepsight.core.run import Run
    from deepsight.workflows.predict import predict_many as many

    limits = many.Thresholds(reject_below, reject_unfamiliar)
    with progress() as log:
        counts = many.predict_into(run_folder, images, out, limits, engine=engine, log=log)
    show(
        f"{out}: {counts.images:,} images, {counts.rejected:,} rejected ({counts.unlike:,} unlike the "
        f"training images), {counts.unreadable:,} unreadable"
    )
    for sentence in many.rejection_sentences(Run.open(run_folder)):
        show(sentence)


@app.command(hidden=True)
def classify(
    run_folder: RunFolder,
    images: Annotated[list[str], typer.Argument(help="As for predict.")],
    out: Annotated[Path, typer.Option(help="As for predict.")] = Path("predictions.csv"),
    reject_below: RejectBelow = 0.0,
    reject_unfamiliar: RejectUnfamiliar = 0.99,
) -> None:
    """The earlier name of predict --out."""
    write_table(run_folder, images, out, reject_below, reject_unfamiliar, "local")


def sentences(row: dict[str, Any]) -> list[str]:
    """The lines about one image."""
    said = [f"{row['file']}: {row['label']} ({row['confidence']:.2f})"]
    if row.get("unfamiliar"):
        said = [
            f"{row['file']}: unlike the training images (unfamiliarity {row['unfamiliarity']:.2f}); "
            f"the class it resembles most is {row['label']}"
        ]
    said.append(f"  map: {row['map']}" if row["map"] else f"  no map: {row['map_refused']}")
    if "nearest" in row:
        near = ", ".join(
            f"{one['label']} (row {one['index']}, {one['similarity']:.2f})" for one in row["nearest"]
        )
        said += [f"  nearest in training: {near}", f"  picture of them: {row['nearest_picture']}"]
    return said


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
    from deepsight.workflows.export import export_model, require_format

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
