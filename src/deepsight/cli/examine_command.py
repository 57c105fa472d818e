"""The command that examines an existing model, or a file of its predictions."""

from pathlib import Path
from typing import Annotated

import typer

from deepsight.cli.headline import finish
from deepsight.cli.options import (
    Checkpoint,
    Data,
    DataDir,
    Engine,
    ExamineMinutes,
    Fit,
    Json,
    Model,
    Mva,
    Offline,
    OutputClasses,
    PredictionsFile,
    Preprocess,
    Seed,
    Split,
    refuse_options,
)
from deepsight.cli.progress import progress
from deepsight.core.errors import UsageError

app = typer.Typer()


@app.command()
def examine(
    model: Model = None,
    predictions: PredictionsFile = None,
    weights: Checkpoint = None,
    preprocess: Preprocess = None,
    classes: OutputClasses = None,
    data: Data = "cifar10",
    data_dir: DataDir = None,
    split: Split = "test",
    minutes: ExamineMinutes = 5.0,
    mva: Mva = 0.65,
    seed: Seed = 0,
    offline: Offline = False,
    fit: Fit = None,
    engine: Engine = "local",
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/examined"),
    as_json: Json = False,
) -> None:
    """Find out where and why a model that you already have fails; a file of its predictions is enough.

    Examples:

        deepsight examine --model onnx:theirs.onnx --data folder:photos --out runs/theirs

        deepsight examine --model timm:resnet18 --weights mine.safetensors --data folder:photos

        deepsight examine --data cifar10 --predictions theirs.npz --out runs/theirs

        deepsight examine --data folder:photos --predictions theirs.csv --split all --out runs/theirs
    """
    from deepsight.config import study_of
    from deepsight.obtain import require_data

    if (model is None) == (predictions is None):
        raise UsageError("Expected either --model or --predictions.")
    if predictions is not None:
        refuse_options(
            "beside --predictions: only --model uses it", weights=weights, preprocess=preprocess,
            classes=classes, engine=None if engine == "local" else engine,
        )  # fmt: skip
    asked = {"data": data, "data_dir": data_dir, "mva": mva, "seed": seed, "offline": offline, "fit": fit}
    study = study_of({**asked, "minutes": minutes})
    if not out.exists():
        require_data(study.data)
    with progress(minutes=minutes) as log:
        if predictions is not None:
            from deepsight.workflows.examine.examine_predictions import examine_predictions

            metrics = examine_predictions(study, predictions, out, split=split, log=log)
        else:
            from deepsight.workflows.examine.examine_model import examine_model

            metrics = examine_model(
                study, str(model), out, weights=weights, preprocess=preprocess, split=split, engine=engine,
                log=log,
                classes=None if classes is None else [name.strip() for name in classes.split(",")],
            )  # fmt: skip
    finish(metrics, out, as_json)
