"""Coverage of the report's intervals and type-I error of its verdicts, on made data with a known truth.

python benchmarks/statistics/run.py             everything into results.csv, minutes on one core
python benchmarks/statistics/run.py --smoke     a few repetitions of everything, to see that it runs
"""

import argparse
import csv
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import confusions
import interventions
import labels_and_levers
import numpy as np
import probabilities
import scipy
import scores
from worlds import BORDER, Row

HERE = Path(__file__).parent
PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "scores": scores.rows,
    "confusions": confusions.rows,
    "probabilities": probabilities.rows,
    "interventions": interventions.rows,
    "labels and levers": labels_and_levers.rows,
}
INTERVALS = (0.93, 0.97)
VERDICTS = 0.06
SMOKE = 8  # repetitions: as many as the treatments of one family of verdicts


def outside(row: Row) -> bool:
    """Whether a row misses the aim by more than two standard errors of its own repetitions.

    Where the truth lies at the border of what is possible, an interval that reaches the border always holds
    it, so that only too little coverage counts.
    """
    noise = 2 * (row.nominal * (1 - row.nominal) / row.repetitions) ** 0.5 if row.repetitions else 0.0
    if row.measure == "coverage":
        high = 1.0 if row.setting.endswith(BORDER) else INTERVALS[1] + noise
        return not INTERVALS[0] - noise <= row.observed <= high
    return row.observed > max(VERDICTS, row.nominal) + noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--repeats", type=int, default=1000, help="of the cheapest simulations")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="these parts alone")
    parser.add_argument("--results", type=Path, default=HERE / "results.csv")
    given = parser.parse_args()
    rows: list[Row] = []
    for name in given.only or list(PARTS):
        began = time.process_time()
        rows += PARTS[name](SMOKE if given.smoke else given.repeats)
        print(f"{name}: {time.process_time() - began:.0f} s of processor time", flush=True)
    with given.results.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows((*row[:4], f"{row.observed:.4f}", row.repetitions) for row in rows)
    missed = [row for row in rows if outside(row)]
    for row in missed:
        print(f"{row.finding}; {row.setting}: {row.measure} {row.observed:.3f} ({row.repetitions})")
    print(
        f"{len(rows)} settings, {len(missed)} outside the aim. {platform.processor() or platform.machine()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    )


if __name__ == "__main__":
    main()
