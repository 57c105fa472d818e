"""The options that several commands share. Each help text says the unit, the range and the default."""

from pathlib import Path
from typing import Annotated, Any

import typer

RunFolder = Annotated[Path, typer.Argument(help="A run folder.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print metrics.json on stdout.")]


def option(help: str, *, default: str = "") -> Any:
    """An option that a study.yaml may set too: absent means the default, which the help names."""
    return typer.Option(help=help, show_default=default or False)


DATA_HELP = (
    "cifar10, folder:PATH, table:FILE (CSV, TSV, Parquet or JSON Lines), hf:NAME, arrays:FILE.npz or "
    "keras:NAME (cifar100, mnist or fashion_mnist)."
)
Data = Annotated[str, typer.Option(help=DATA_HELP)]
DATA_DIR_HELP = "A folder with your own copy of CIFAR-10; fetched when absent."
DataDir = Annotated[Path | None, typer.Option(help=DATA_DIR_HELP, show_default=False)]
SEED_HELP = "Random seed, at least 0."
Seed = Annotated[int, typer.Option(help=SEED_HELP, min=0, max=2**32 - 1)]
MVA_HELP = "Minimum Viable Accuracy: macro-F1, 0 to 1, below which the command ends with status 3."
Mva = Annotated[float, typer.Option(help=MVA_HELP, min=0, max=1)]
OFFLINE_HELP = "Use nothing that needs the network."
Offline = Annotated[bool, typer.Option("--offline", help=OFFLINE_HELP)]
PREDICTIONS_HELP = (
    "An .npz with probs or logits (n, k), and files (n,) to match rows by; or a table (CSV, TSV, Parquet or "
    "JSON Lines) with the columns file and one per class, or file, pred and confidence."
)
SPLIT_HELP = "The part that the rows predict: test, train, val (where the data has one) or all."
FIT_HELP = (
    "How pictures are brought into a square: crop (the centred square), pad, or squash; or whole, where all "
    "have one shape."
)
Fit = Annotated[str | None, option(FIT_HELP, default="crop")]
