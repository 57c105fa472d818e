"""The commands that carry out a study, whole or up to one stage."""

from pathlib import Path
from typing import Annotated

import typer

from deepsight.cli import gate_commands, sharing_commands
from deepsight.cli.failures import Exit
from deepsight.cli.headline import finish
from deepsight.cli.options import (
    AllowPartial,
    Backbone,
    CompareWith,
    Config,
    Data,
    DataDir,
    Fit,
    Folds,
    Gates,
    Json,
    KeepLeaks,
    LogTo,
    Offline,
    Resolution,
    RunFolder,
    StudyData,
    StudyEngine,
    StudyMinutes,
    StudyMva,
    StudyOffline,
    StudySeed,
    StudyWeights,
    TrainLimit,
)
from deepsight.cli.progress import first_process, progress, show
from deepsight.cli.run_folders import FIRST, new_run_folder
from deepsight.core.progress import Log

app = typer.Typer()
BEFORE_TEST = ("scrub", "explore")  # stages that pass no test image through the model


@app.command()
def run(
    data: StudyData = None,
    data_dir: DataDir = None,
    minutes: StudyMinutes = None,
    backbone: Backbone = None,
    weights: StudyWeights = None,
    allow_partial: AllowPartial = None,
    resolution: Resolution = None,
    train_limit: TrainLimit = None,
    folds: Folds = None,
    keep_leaks: KeepLeaks = None,
    mva: StudyMva = None,
    seed: StudySeed = None,
    offline: StudyOffline = None,
    gate: Gates = None,
    compare_with: CompareWith = None,
    log_to: LogTo = None,
    fit: Fit = None,
    engine: StudyEngine = "local",
    config: Config = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The run folder; with --compare-with RUN, RUN-cleaned by default.", show_default=str(FIRST)
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the whole study and write report.html; the exit status is 3 below the MVA or if a gate fails.

    Examples:

        deepsight run --minutes 5 --out runs/first

        deepsight run --data folder:photos --resolution 128 --out runs/photos

        deepsight run --config runs/first/study.yaml --out runs/again

        deepsight run --config runs/first/study.yaml --data table:clean/cleaned.csv --compare-with runs/first
    """
    from deepsight.config import read_study, study_of
    from deepsight.core.run import Run
    from deepsight.obtain import require_data

    asked = {
        "data": data, "data_dir": data_dir, "minutes": minutes, "backbone": backbone, "weights": weights,
        "allow_partial": allow_partial, "resolution": resolution, "train_limit": train_limit,
        "folds": folds, "keep_leaks": keep_leaks, "mva": mva, "seed": seed, "offline": offline,
        "gates": gate or None, "fit": fit,
    }  # fmt: skip
    stored = read_study(config) if config else {}
    study = study_of({**stored, **{name: value for name, value in asked.items() if value is not None}})
    gate_commands.require_gates(study.gates)
    out = new_run_folder(out, compare_with)
    if not out.exists():
        require_data(study.data)
    if compare_with is not None:
        Run.open(compare_with).require("model.json", stage="run").require("predictions/test.npz", stage="run")
    sharing_commands.require_trackers(log_to or ())
    from deepsight.workflows.study import run_study  # seconds to import: refuse wrong options first

    with progress(out, minutes=study.minutes) as log:
        metrics = run_study(study, out, engine=engine, log=log)
        if compare_with is not None:
            note_comparison(out, compare_with, log)
    passed = not study.gates or gate_commands.judge(out, study.gates, out / "junit.xml", quiet=as_json)
    for tracker in log_to or ():
        sharing_commands.log_to_tracker(out, tracker)
    finish(Run.open(out).metrics() if study.gates or compare_with else metrics, out, as_json)
    if not passed:
        raise typer.Exit(Exit.GATE)


def note_comparison(run: Path, earlier: Path, log: Log) -> None:
    """Compare a run with one on an earlier version of its data; only the first process does."""
    from deepsight.workflows.compare.with_earlier import compare_with_earlier

    if first_process():
        compare_with_earlier(run, earlier, log=log)


def bring_up_to(name: str, run_folder: Path, engine: str) -> None:
    """Bring an existing run up to one stage."""
    from deepsight.workflows.study import run_until

    with progress(run_folder) as log:
        run_until(name, run_folder, engine=engine, log=log)
    show(str(run_folder))


def stage_command(name: str, summary: str) -> None:
    """Add a command that brings an existing run up to one stage."""

    def command_here(run_folder: RunFolder) -> None:
        bring_up_to(name, run_folder, "local")

    def command_anywhere(run_folder: RunFolder, engine: StudyEngine = "local") -> None:
        bring_up_to(name, run_folder, engine)

    command = command_here if name in BEFORE_TEST else command_anywhere
    command.__doc__ = (
        f"{summary} Missing earlier stages run first.\n\nExample:\n\n    deepsight {name} runs/first"
    )
    app.command(name=name)(command)


for stage, summary in {
    "scrub": "Split the data of a run, plan the training and choose the interpolation.",
    "explore": "Describe the data of a run and record the hypotheses.",
    "train": "Train the model of a run.",
    "interpret": "Examine the model of a run.",
    "levers": "Try what would reduce the errors of a run.",
    "report": "Write the report of a run.",
}.items():
    stage_command(stage, summary)


@app.command()
def obtain(
    out: Annotated[Path, typer.Option(help="The new run folder.")] = Path("runs/first"),
    data: Data = "cifar10",
    data_dir: DataDir = None,
    offline: Offline = False,
    fit: Fit = None,
) -> None:
    """Start a run: obtain the data, verify it, and list in splits.csv which images are held out.

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
