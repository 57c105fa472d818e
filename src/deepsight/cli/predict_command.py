"""The command that classifies images with the model of a run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from deepsight.cli.options import Engine, RunFolder, refuse_options
from deepsight.cli.progress import progress, show

app = typer.Typer()
REJECT_BELOW, REJECT_UNFAMILIAR, NEIGHBOURS = 0.0, 0.99, 5
RejectBelow = Annotated[
    float | None,
    typer.Option(
        help="With --out: reject images whose confidence is below this.",
        min=0,
        max=1,
        show_default=str(REJECT_BELOW),
    ),
]
RejectUnfamiliar = Annotated[
    float | None,
    typer.Option(
        help="With --out: reject images whose unfamiliarity (the share of validation images that are more "
        "like the training images) is at least this; 2 rejects none.",
        min=0,
        show_default=str(REJECT_UNFAMILIAR),
    ),
]


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
    reject_below: RejectBelow = None,
    reject_unfamiliar: RejectUnfamiliar = None,
    engine: Engine = "local",
    maps: Annotated[
        Path | None, typer.Option(help="Folder for the pictures.", show_default="predicted in the run folder")
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option(
            help="Nearest training images to show; 0 for none.", min=0, show_default=str(NEIGHBOURS)
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Classify images: label, confidence, evidence map and nearest training images.

    Confidences are calibrated by a temperature fitted on the validation images. With --out, write a table
    instead: the probability of every class, rejections, and how unfamiliar each image is. The first call
    runs up to 5,000 training images through the model; the run folder keeps the result.

    Examples:

        deepsight predict runs/first photo.jpg other.png

        deepsight predict runs/first photo.jpg --maps pictures --neighbours 0 --json

        deepsight predict runs/first new "more/*.jpg" --out predictions.csv --reject-below 0.8

        deepsight predict runs/first new --out predictions.parquet --engine ray
    """
    from deepsight.workflows.predict.image_paths import expand_paths
    from deepsight.workflows.predict.predict import predict as predict_files

    if out is not None:
        refuse_options(
            "beside --out: it writes a table", maps=maps, neighbours=neighbours, json=as_json or None
        )
        write_table(run_folder, images, out, reject_below, reject_unfamiliar, engine)
        return
    refuse_options(
        "without --out: only a table of predictions uses it", reject_below=reject_below,
        reject_unfamiliar=reject_unfamiliar, engine=None if engine == "local" else engine,
    )  # fmt: skip
    count = NEIGHBOURS if neighbours is None else neighbours
    with progress() as log:
        files = expand_paths(images, log=log)
        rows = predict_files(run_folder, files, maps=maps, neighbours=count, log=log)
    if as_json:
        show(json.dumps(rows, indent=2))
    else:
        show("\n".join(sentence for row in rows for sentence in prediction_lines(row)))


def write_table(
    run_folder: Path, images: Sequence[str], out: Path, reject_below: float | None,
    reject_unfamiliar: float | None, engine: str,
) -> None:  # fmt: skip
    """Classify any number of images into a table, and print how many were rejected or unreadable."""
    from deepsight.core.run import Run
    from deepsight.workflows.predict import predict_many as many

    limits = many.Thresholds(
        REJECT_BELOW if reject_below is None else reject_below,
        REJECT_UNFAMILIAR if reject_unfamiliar is None else reject_unfamiliar,
    )
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
    reject_below: RejectBelow = None,
    reject_unfamiliar: RejectUnfamiliar = None,
) -> None:
    """The earlier name of predict --out."""
    write_table(run_folder, images, out, reject_below, reject_unfamiliar, "local")


def prediction_lines(row: dict[str, Any]) -> list[str]:
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
