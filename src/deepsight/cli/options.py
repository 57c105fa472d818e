"""The options that several commands share. Each help text says the unit, the range and the default."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deepsight.core.errors import UsageError

RunFolder = Annotated[Path, typer.Argument(help="A run folder.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print metrics.json on stdout.")]


def option(help: str, *, default: str = "") -> Any:
    """An option that is None unless given; the help names its default."""
    return typer.Option(help=help, show_default=default or False)


def refuse_options(where: str, **given: object) -> None:
    """Refuse options that a command would otherwise ignore.

    Args:
        where: ends the sentence, such as "beside --out: it writes a table".
        given: options by name, None where absent.

    Raises:
        UsageError: one of them was given; the message names it.
    """
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"Expected no --{name.replace('_', '-')} {where}.")


DATA_HELP = (
    "cifar10, folder:PATH, table:FILE (CSV, TSV, Parquet or JSON Lines), hf:NAME, arrays:FILE.npz, "
    "keras:NAME (cifar100, mnist or fashion_mnist), webdataset:PATTERN or parquet:PATTERN."
)
Data = Annotated[str, typer.Option(help=DATA_HELP)]
DATA_DIR_HELP = "A folder with your copy of CIFAR-10; downloaded if absent."
DataDir = Annotated[Path | None, typer.Option(help=DATA_DIR_HELP, show_default=False)]
SEED_HELP = "Random seed, at least 0."
Seed = Annotated[int, typer.Option(help=SEED_HELP, min=0, max=2**32 - 1)]
MVA_HELP = "Minimum Viable Accuracy: macro-F1, 0 to 1, below which the exit status is 3."
Mva = Annotated[float, typer.Option(help=MVA_HELP, min=0, max=1)]
OFFLINE_HELP = "Do not use the network."
Offline = Annotated[bool, typer.Option("--offline", help=OFFLINE_HELP)]
PREDICTIONS_HELP = (
    "An .npz with probs or logits (n, k), and files (n,) to match the rows to images; or a table (CSV, TSV, "
    "Parquet or JSON Lines) with the columns file and one per class, or file, pred and confidence."
)
SPLIT_HELP = "The part of the data to test the model on: test or train; with --predictions also val or all."
LOG_HELP = (
    "mlflow, tensorboard or wandb; name the place with mlflow:URI, tensorboard:FOLDER or wandb:PROJECT."
)
FIT_HELP = (
    "How to make pictures square: crop (the central square), pad or squash; or whole, if all have one shape."
)
Fit = Annotated[str | None, option(FIT_HELP, default="crop; run also tries pad if a crop would cut off much")]

# Options of `deepsight run` that a study.yaml may set too; None leaves the file's value or the default.
StudyData = Annotated[str | None, option(DATA_HELP, default="cifar10")]
StudyMinutes = Annotated[float | None, option("Time for the whole study, in minutes; above 0.", default="5")]
Backbone = Annotated[str | None, option("A timm name, or auto.", default="auto")]
StudyWeights = Annotated[str | None, option("A .safetensors file, or auto.", default="auto")]
AllowPartial = Annotated[
    bool | None, option("Continue if the weights file lacks tensors.", default="no-allow-partial")
]
Resolution = Annotated[
    int | None, option("Side of the network's input in pixels, 32 to 512 in steps of 32.", default="planned")
]
TrainLimit = Annotated[
    int | None, option("Most training images to use, at least 1.", default="as many as the time allows")
]
Folds = Annotated[
    int | None,
    option(
        "Folds of a cross-validation, 1 to 20: each image is then predicted by a model that has not seen it.",
        default="1; 5 below 300 images without a test part",
    ),
]
KeepLeaks = Annotated[
    bool | None,
    option(
        "Keep training images that copy validation or test images, or drop them all.",
        default="drop them, unless near-duplicates are more than 5 %",
    ),
]
StudyMva = Annotated[float | None, option(MVA_HELP, default="0.65")]
StudySeed = Annotated[int | None, option(SEED_HELP, default="0")]
StudyOffline = Annotated[bool | None, option(OFFLINE_HELP, default="no-offline")]
Gates = Annotated[
    list[str] | None, option("A condition that the run must meet, as in deepsight check; repeatable.")
]
Config = Annotated[
    Path | None, option("A study.yaml to start from; the options of this command override it.")
]
CompareWith = Annotated[
    Path | None,
    option("A run on an earlier version of this data, to compare with on the images that both have."),
]
LogTo = Annotated[
    list[str] | None, typer.Option("--log", help=f"Log the run: {LOG_HELP}", show_default=False)
]

# Options of `deepsight examine`.
MODEL_HELP = (
    "timm:NAME, hf:NAME, torchscript:FILE, onnx:FILE, keras:FILE, run:FOLDER, or "
    "python:package.module:function, which runs your code."
)
Model = Annotated[str | None, typer.Option(help=MODEL_HELP, show_default=False)]
PredictionsFile = Annotated[Path | None, typer.Option(help=PREDICTIONS_HELP, show_default=False)]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="Your checkpoint for timm:, .safetensors, .pt or .pth.", show_default=False),
]
Preprocess = Annotated[
    Path | None,
    typer.Option(help="YAML with height, width, scale, mean, std, channels, …", show_default=False),
]
OutputClasses = Annotated[
    str | None, typer.Option(help="Names of the model's outputs in order: a,b,c.", show_default=False)
]
Split = Annotated[str, typer.Option(help=SPLIT_HELP)]
ExamineMinutes = Annotated[float, typer.Option(help="Time for all checks of the model, in minutes.", min=0.1)]
ENGINE_HELP = (
    "Which machines run the model: local (this one), ray (the cluster that RAY_ADDRESS names, or else one "
    "started on this machine) or ray://HOST:PORT."
)
Engine = Annotated[str, typer.Option(help=ENGINE_HELP)]
STUDY_ENGINE_HELP = (
    "Which machines run the model on all test images: local (this one), ray (the cluster that RAY_ADDRESS "
    "names, or else one started on this machine) or ray://HOST:PORT. All else runs on this machine."
)
StudyEngine = Annotated[str, typer.Option(help=STUDY_ENGINE_HELP)]
