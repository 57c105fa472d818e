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
from finished_study import judges_of, settings_of
from measures import Measured
from settings import SETTINGS, VOTED, world_of
from votes import Votes, read_votes

from deepsight import Run
from deepsight.core.array_types import Ints
from deepsight.core.evidence import Evidence

HERE = Path(__file__).parent
# Rows; constants of the product were chosen on rows before these. A model trained elsewhere is examined on
# half of them, since a reference model of the training part has to judge them within the minutes too.
JUDGED, JUDGED_ELSEWHERE = (12_000, 20_000), (12_000, 16_000)
FEWER = 3_000  # images that the network of a finished study judges


def main() -> None:
    """Measure the settings that were asked for, and put their rows into results.csv."""
    arguments = parsed()
    votes = read_votes(arguments.votes)
    if arguments.run is not None:
        measure_finished(votes, arguments.run, arguments.most)
        return
    for name in arguments.setting or SETTINGS:
        rows = judged_rows(name)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            world = world_of(votes, rows[: arguments.most], arguments.minutes, Path(folder))
            evidence, measured = SETTINGS[name](world)
        seconds = round(time.perf_counter() - began)
        shown(name, arguments.minutes, evidence, measured, seconds, keep=arguments.most is None)


def measure_finished(votes: Votes, folder: Path, most: int | None) -> None:
    """Measure the settings that the network of a finished study serves."""
    began = time.perf_counter()
    minutes = Run.open(folder).study()["minutes"]
    judges = judges_of(folder, votes, np.arange(*JUDGED), most or FEWER)
    for name, evidence, measured in settings_of(judges):
        seconds = round(time.perf_counter() - began)
        shown(name, minutes, evidence, measured, seconds, keep=most is None)
        began = time.perf_counter()


def shown(
    name: str, minutes: float, evidence: Evidence, measured: Measured, seconds: int, *, keep: bool
) -> None:
    """Print the figures of a setting, and put them into the results."""
    row = {"setting": name, "minutes": minutes, **measured.row(evidence), "seconds": seconds}
    for column, value in row.items():
        print(f"{column:26s} {value}", flush=True)
    if keep:
        write(HERE / "results.csv", [row])
        tenths = measured.tenths(evidence)
        write(HERE / "calibration.csv", [{"setting": name, **tenth} for tenth in tenths])


def judged_rows(setting: str) -> Ints:
    """The official training rows that a setting judges."""
    if "training rows" in setting:
        return np.arange(VOTED)
    return np.arange(*(JUDGED_ELSEWHERE if "elsewhere" in setting else JUDGED))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--votes", type=Path, required=True, help="npz with `official` and `annotators`")
    parser.add_argument("--setting", nargs="*", choices=list(SETTINGS), help="all, when absent")
    parser.add_argument("--run", type=Path, help="folder of a finished CIFAR-10 study, whose network judges")
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
