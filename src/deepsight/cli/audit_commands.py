"""The commands that work on data and train nothing: audit, label-next."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deepsight.cli.failures import Exit
from deepsight.cli.gate_commands import report_results, require_gates
from deepsight.cli.options import Backbone, DataDir, Engine, Fit, Offline, RunFolder, Seed, StudyWeights
from deepsight.cli.progress import progress, show

app = typer.Typer()


@app.command()
def audit(
    data: Annotated[
        str,
        typer.Argument(
            help="A folder, a table, an .npz file, or any data set that run --data takes. A folder without "
            "class folders is audited without labels.",
            show_default=False,
        ),
    ],
    against: Annotated[
        Path | None,
        typer.Option(help="A run to compare with: finds copies of its training images, and drift."),
    ] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Do not take labels from folder names.")
    ] = False,
    gate: Annotated[
        list[str] | None,
        typer.Option(help="A condition, such as 'near_duplicate_share <= 2 %'; repeatable."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Where to write JUnit XML.", show_default="junit.xml in the folder")
    ] = None,
    backbone: Backbone = None,
    weights: StudyWeights = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    offline: Offline = False,
    fit: Fit = None,
    engine: Engine = "local",
    out: Annotated[Path, typer.Option(help="The folder for the report.")] = Path("runs/audit"),
    as_json: Annotated[bool, typer.Option("--json", help="Print audit.json.")] = False,
) -> None:
    """Look for faults in a data set, without training; the exit status is 3 if a gate fails.

    Reports unreadable, dark, blurred and odd images, copies, outliers, suspected label errors, groups, and
    shortcuts: attributes of the files that predict the class. With --against, also drift.

    Examples:

        deepsight audit photos --out runs/audit

        deepsight audit new --against runs/first --gate "feature_drift <= 0.7" --json

        deepsight audit "webdataset:s3://bucket/train-{000..127}.tar" --engine ray --out runs/audit
    """
    from deepsight.config import study_of

    require_gates(gate or [])
    asked = {
        "backbone": backbone, "weights": weights, "data_dir": data_dir, "seed": seed, "offline": offline,
        "fit": fit,
    }  # fmt: skip
    options = study_of({name: value for name, value in asked.items() if value is not None})
    from deepsight.workflows.audit.run_audit import audit as audit_data

    with progress() as log:
        found = audit_data(
            data, out, against=against, gates=gate or (), unlabelled=unlabelled, options=options,
            engine=engine, log=log,
        )  # fmt: skip
    if as_json:
        show(json.dumps(found, indent=2))
    else:
        show("\n".join(audit_lines(found)))
        show(f"Report: {out / 'report.html'}")
    if gate and not report_results(out, found["gates"], junit or out / "junit.xml", quiet=as_json):
        raise typer.Exit(Exit.GATE)


def audit_lines(found: dict[str, Any]) -> list[str]:
    """The size of the data, then one line per metric that is not 0."""
    lines = [f"{found['n']:,} images of {found['data']}"]
    for name, one in found["metrics"].items():
        if not one["value"]:
            continue
        text = f"{one['value']:.2%}" if name.endswith("_share") else f"{one['value']:.3g}"
        lines.append(f"  {name}: {text}")
    return lines


@app.command(name="label-next")
def label_next(
    run_folder: RunFolder,
    folder: Annotated[Path, typer.Argument(help="A folder of unlabelled pictures.", show_default=False)],
    count: Annotated[int, typer.Option(help="Pictures to choose, at least 1.", min=1)] = 100,
    out: Annotated[Path, typer.Option(help="An empty or absent folder.")] = Path("label-next"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the chosen pictures as JSON.")] = False,
) -> None:
    """Choose the pictures whose labels would help a run's model most, as tasks for Label Studio.

    Example:

        deepsight label-next runs/first new --count 100 --out tasks
    """
    from deepsight.workflows.label_next import label_next as choose

    with progress() as log:
        chosen = choose(run_folder, folder, out, count=count, log=log)
    if as_json:
        show(json.dumps(chosen.to_dicts(), indent=2))
    else:
        show(f"{out / 'tasks.json'}: {len(chosen):,} pictures to label, the most useful first")
