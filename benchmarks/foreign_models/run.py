"""Models that other people published, opened and examined; and what maps of a ViT cost. See README.md.

python benchmarks/foreign_models/run.py            # --parts packages keras speed
"""

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import applications
import published
import speed
import torch
from rows import Row

RESULTS = Path(__file__).parent / "results.csv"
PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "packages": published.rows,
    "keras": applications.rows,
    "speed": speed.rows,
}


def save(part: str, rows: list[Row]) -> None:
    """Put these rows in the place of the stored ones of the same part."""
    kept: list[list[str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            kept = [row for row in list(csv.reader(file))[1:] if row[0] != part]
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([Row._fields, *kept, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40, help="of each model, and for the times")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for part in args.parts:
        rows = []
        for row in PARTS[part](args.images):
            print(*row, sep="\t", flush=True)
            rows.append(row)
            save(part, rows)  # a run takes long enough to be cut short


if __name__ == "__main__":
    main()
