"""The command line: each command parses its options and calls one workflow."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deepsight import __version__
from deepsight.cli import decision_commands, gate_commands, run_commands, sharing_commands
from deepsight.cli.failures import Exit, run_guarded
from deepsight.cli.options import (
    DATA_HELP,
    MVA_HELP,
    OFFLINE_HELP,
    PREDICTIONS_HELP,
    SEED_HELP,
    SPLIT_HELP,
    Data,
    DataDir,
    Fit,
    Json,
    Mva,
    Offline,
    RunFolder,
    Seed,
    option,
)
from deepsight.cli.progress import accept_any_text, first_process, progress, show
from deepsight.core.errors import UsageError
from deepsight.core.stop import stop_on_signals

INTRODUCTION = """\
DeepSight: why does my image classifier fail, and what do I do about it?

  deepsight run                             study CIFAR-10 in five minutes; writes runs/first/report.html
  deepsight run --data folder:photos        the same on your own images, one folder per class
  deepsight examine --predictions p.npz     study a model that was made elsewhere
  deepsight treat runs/first                try remedies against a control, and say which helped
  deepsight view runs/first                 open the report; see also compare, predict and export

deepsight COMMAND --help has examples; deepsight --install-completion teaches your shell the names."""

app = typer.Typer(
    name="deepsight",
    help="Why does my image classifier fail, and what do I do about it? A forensic study in one command.",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def print_version(asked: bool) -> None:
    """The version, and the end."""
    if asked:
        show(f"deepsight {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def introduce(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Why does my image classifier fail, and what do I do about it? A forensic study in one command."""
    if context.invoked_subcommand is None:
        show(INTRODUCTION)


@app.command()
def run(
    data: Annotated[str | None, option(DATA_HELP, default="cifar10")] = None,
    data_dir: DataDir = None,
    minutes: Annotated[
        float | None, option("Time for the whole study, in minutes; above 0.", default="5")
    ] = None,
    backbone: Annotated[str | None, option("A timm name, or auto.", default="auto")] = None,
    weights: Annotated[str | None, option("A .safetensors file, or auto.", default="auto")] = None,
    allow_partial: Annotated[
        bool | None, option("Go on when the weights file lacks tensors.", default="no-allow-partial")
    ] = None,
    resolution: Annotated[
        int | None,
        option("Side of the network's input in pixels, 32 to 512 in steps of 32.", default="planned"),
    ] = None,
    train_limit: Annotated[
        int | None, option("Most training images to use, at least 1.", default="as many as the time allows")
    ] = None,
    keep_leaks: Annotated[
        bool | None,
        option(
            "Keep training images that copy validation or test images, or drop all of them.",
            default="drop them, unless near-duplicates are more than 5 %",
        ),
    ] = None,
    mva: Annotated[float | None, option(MVA_HELP, default="0.65")] = None,
    seed: Annotated[int | None, option(SEED_HELP, default="0")] = None,
    offline: Annotated[bool | None, option(OFFLINE_HELP, default="no-offline")] = None,
    gate: Annotated[
        list[str] | None, option("A condition that the run must meet, as in deepsight check; repeatable.")
    ] = None,
    fit: Fit = None,
    config: Annotated[
        Path | None, option("A study.yaml to start from; the options of this command override it.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/first"),
    as_json: Json = False,
) -> None:
    """Do the whole study and write report.html; ends with status 3 below the gate.

    Examples:

        deepsight run --minutes 5 --out runs/first

        deepsight run --data folder:photos --resolution 128 --out runs/photos

        deepsight run --config runs/first/study.yaml --out runs/again
    """
    from deepsight.config import read_study, study_of

    asked = {
        "data": data, "data_dir": data_dir, "minutes": minutes, "backbone": backbone, "weights": weights,
        "allow_partial": allow_partial, "resolution": resolution, "train_limit": train_limit,
        "keep_leaks": keep_leaks, "mva": mva, "seed": seed, "offline": offline, "gates": gate or None,
        "fit": fit,
    }  # fmt: skip
    stored = read_study(config) if config else {}
    study = study_of({**stored, **{name: value for name, value in asked.items() if value is not None}})
    gate_commands.require_gates(study.gates)
    from deepsight.workflows.study import run_study  # seconds of imports, after what can be refused at once

    with progress(out, minutes=study.minutes) as log:
        metrics = run_study(study, out, log=log)
    passed = not study.gates or gate_commands.judge(out, study.gates, out / "junit.xml", quiet=as_json)
    finish(metrics, out, as_json)
    if not passed:
        raise typer.Exit(Exit.GATE)


def finish(metrics: dict[str, Any], out: Path, as_json: bool) -> None:
    """Print the headline, once where torchrun started several processes, and fail below the gate."""
    from deepsight.core.notebook import score_sentence

    said = f"{score_sentence(metrics)}\nReport: {out / 'report.html'}"
    if first_process():
        show(json.dumps(metrics, indent=2) if as_json else said)
    if not metrics["mva_passed"]:
        raise typer.Exit(Exit.GATE)


def stage_command(name: str, summary: str) -> None:
    """A command that brings an existing run up to one stage."""

    def command(run_folder: RunFolder) -> None:
        from deepsight.workflows.study import run_until

        with progress(run_folder) as log:
            run_until(name, run_folder, log=log)
        show(str(run_folder))

    command.__doc__ = (
        f"{summary} Earlier stages that are missing are done first.\n\n"
        f"Example:\n\n    deepsight {name} runs/first"
    )
    app.command(name=name)(command)


for stage, summary in {
    "scrub": "Split the data of a run, plan the training and choose the interpolation.",
    "explore": "Describe the data of a run and record the hypotheses.",
    "train": "Train the model of a run.",
    "interpret": "Examine the model of a run.",
    "levers": "Try what could be done about the errors of a run.",
    "report": "Write the report of a run.",
}.items():
    stage_command(stage, summary)


@app.command()
def obtain(
    out: Annotated[Path, typer.Option(help="The run folder to begin.")] = Path("runs/first"),
    data: Data = "cifar10",
    data_dir: DataDir = None,
    offline: Offline = False,
    fit: Fit = None,
) -> None:
    """Begin a run: obtain the data, prove its integrity, and list which image is held out in splits.csv.

    Examples:

        deepsight obtain --data arrays:mine.npz --out runs/mine

        deepsight obtain --data "table:patients.csv?group=patient" --out runs/patients
    """
    from deepsight.config import study_of
    from deepsight.workflows.study import obtain_data

    study = study_of({"data": data, "data_dir": data_dir, "offline": offline, "fit": fit})
    with progress(out) as log:
        obtain_data(study, out, log=log)
    show(str(out))


@app.command()
def treat(
    run_folder: RunFolder,
    minutes: Annotated[float, typer.Option(help="Time for the trial, in minutes; above 0.")] = 20.0,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A treatment to try; give it once per treatment.", show_default="all that apply"),
    ] = None,
    min_treatments: Annotated[
        int,
        typer.Option(
            "--min-treatments",
            "--enough",
            min=1,
            help="Treatments to fit in. Where time is short, each is trained less rather than left out.",
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
def examine(
    model: Annotated[
        str | None,
        typer.Option(
            help="timm:NAME, hf:NAME, torchscript:FILE, onnx:FILE, keras:FILE, run:FOLDER, or "
            "python:package.module:function, which runs your code.",
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[Path | None, typer.Option(help=PREDICTIONS_HELP, show_default=False)] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Your checkpoint for timm:, .safetensors, .pt or .pth.", show_default=False),
    ] = None,
    preprocess: Annotated[
        Path | None,
        typer.Option(help="YAML with height, width, scale, mean, std, channels, …", show_default=False),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Names of the model's outputs in their order: a,b,c.", show_default=False),
    ] = None,
    data: Data = "cifar10",
    data_dir: DataDir = None,
    split: Annotated[str, typer.Option(help=SPLIT_HELP)] = "test",
    minutes: Annotated[
        float, typer.Option(help="Time that the examination of a model may take.", min=0.1)
    ] = 5.0,
    mva: Mva = 0.65,
    seed: Seed = 0,
    offline: Offline = False,
    fit: Fit = None,
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/examined"),
    as_json: Json = False,
) -> None:
    """Examine a model that was made elsewhere, or its predictions.

    Examples:

        deepsight examine --model onnx:theirs.onnx --data folder:photos --out runs/theirs

        deepsight examine --model timm:resnet18 --weights mine.safetensors --data folder:photos

        deepsight examine --data cifar10 --predictions theirs.npz --out runs/theirs

        deepsight examine --data folder:photos --predictions theirs.csv --split all --out runs/theirs
    """
    from deepsight.config import study_of

    if (model is None) == (predictions is None):
        raise UsageError("Expected either --model or --predictions.")
    asked = {"data": data, "data_dir": data_dir, "mva": mva, "seed": seed, "offline": offline}
    study = study_of({**asked, "fit": fit} | ({"minutes": minutes} if model else {}))
    from deepsight.workflows.examine_external import examine_model
    from deepsight.workflows.examine_predictions import examine_predictions

    with progress() as log:
        if predictions is not None:
            metrics = examine_predictions(study, predictions, out, split=split, log=log)
        else:
            metrics = examine_model(
                study, str(model), out, weights=weights, preprocess=preprocess, split=split, log=log,
                classes=None if classes is None else [name.strip() for name in classes.split(",")],
            )  # fmt: skip
    finish(metrics, out, as_json)


app.add_typer(run_commands.app)
app.add_typer(decision_commands.app)
app.add_typer(gate_commands.app)
app.add_typer(sharing_commands.app)


def main() -> None:
    """Entry point: sentences for the user, tracebacks only with --debug."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    accept_any_text()
    stop_on_signals()
    sys.exit(run_guarded(app, debug=debug))
