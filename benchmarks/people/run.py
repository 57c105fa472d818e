"""True to people? What the product says of labels and of ambiguous images, beside three votes on each.

python benchmarks/people/run.py --votes FILE.npz --setting "frozen features alone"
python benchmarks/people/run.py --votes FILE.npz                          all settings, about an hour
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from settings import SETTINGS, VOTED, world_of
from votes import read_votes

HERE = Path(__file__).parent
JUDGED = (12_000, 20_000)  # rows; constants of the product were chosen on rows before these


def main() -> None:
    """Measure the settings that were asked for, and put their rows into results.csv."""
    arguments = parsed()
    votes = read_votes(arguments.votes)
    for name in arguments.setting or SETTINGS:
        rows = np.arange(VOTED) if "training rows" in name else np.arange(*JUDGED)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            world = world_of(votes, rows[: arguments.most], arguments.minutes, Path(folder))
            evidence, measured = SETTINGS[name](world)
        seconds = round(time.perf_counter() - began)
        row = {"setting": name, "minutes": arguments.minutes, **measured.row(evidence), "seconds": seconds}
        for column, value in row.items():
            print(f"{column:26s} {value}", flush=True)
        if arguments.most is None:
            write(HERE / "results.csv", [row])
            tenths = measured.tenths(evidence)
            write(HERE / "calibration.csv", [{"setting": name, **tenth} for tenth in tenths])


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--votes", type=Path, required=True, help="npz with `official` and `annotators`")
    parser.add_argument("--setting", nargs="*", choices=list(SETTINGS), help="all, when absent")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each command of the product")
    parser.add_argument("--most", type=int, help="judge at most so many images; nothing is written")
    return parser.parse_args()


def write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Put the rows of a setting in the place of the old ones of the same setting."""
    kept, name = [], rows[0]["setting"]
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            kept = [dict(old) for old in csv.DictReader(file) if old["setting"] != name]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


if __name__ == "__main__":
    main()
