"""Maps: equal to the peers' to 1e-5, and as fast as a forward pass. One command; see README.md.

python -m venv .peers && .peers/bin/pip install -e . -r benchmarks/maps/requirements.txt
.peers/bin/python benchmarks/maps/run.py
"""

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import speed
import torch
from networks import K, Plain

RESULTS = Path(__file__).parent / "results.csv"
SETTINGS = (("lite0", 64), ("lite0", 128), ("resnet18", 64))
COMPARED = 8  # images whose maps are compared, for all ten classes


class Row(NamedTuple):
    """A figure: its median, its quartiles over batches, n images, and the machine's load meanwhile."""

    part: str
    model: str
    side: int
    figure: str
    of: str
    value: str
    low: str
    high: str
    n: int
    load: str


def differences(name: str, side: int, _: int) -> Iterator[Row]:
    """Our maps against the peers', all ten classes."""
    import agreement  # needs the peers, which the pass alone does without

    net = Plain(name)
    x = torch.randn(COMPARED, 3, side, side, generator=torch.Generator().manual_seed(1))
    layers = {"last layer": agreement.last_layer, "earlier layer": agreement.earlier_layer}
    for where, compare in layers.items():
        for peer, gap in compare(net, x).items():
            figure = f"largest difference, {where}"
            yield Row("differences", name, side, figure, peer, f"{gap:.2e}", "", "", COMPARED * K, "")


def against_peers(name: str, side: int, images: int) -> Iterator[Row]:
    """Times on the plain network, ours and the peers'."""
    import peers

    return times("peers", peers.of_peers(name), name, side, images // 10)


def of_pass(name: str, side: int, images: int) -> Iterator[Row]:
    """Times of a study's own pass, with and without maps."""
    return times("pass", speed.of_study(name), name, side, images)


def times(part: str, ways: dict[str, speed.Way], name: str, side: int, images: int) -> Iterator[Row]:
    """Each method's time, and its ratio to the bare pass of the same batch."""
    before = speed.load()
    taken = speed.seconds(ways, side, images)
    load = f"{before:.0f} to {speed.load():.0f}"
    base = np.array(taken["bare forward pass"])
    for way, values in taken.items():
        spent = np.array(values)
        figures = {"ms an image": 1000 * spent / speed.BATCH, "times the bare pass": spent / base}
        for figure, found in figures.items():
            low, middle, high = (f"{q:.3f}" for q in np.quantile(found, (0.25, 0.5, 0.75)))
            yield Row(part, name, side, figure, way, middle, low, high, images, load)


PARTS: dict[str, Callable[[str, int, int], Iterator[Row]]] = {
    "pass": of_pass,
    "differences": differences,
    "peers": against_peers,
}


def save(rows: list[Row]) -> None:
    """Put these rows in the place of the stored ones of the same part, model and side."""
    made = {(row.part, row.model, str(row.side)) for row in rows}
    kept: list[list[str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            kept = [row for row in list(csv.reader(file))[1:] if tuple(row[:3]) not in made]
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([Row._fields, *kept, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--smoke", action="store_true", help="1,000 images (100 for the peers), and no results.csv"
    )
    parser.add_argument("--images", type=int, default=10_000, help="of the pass; a tenth of it for the peers")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    images = 1000 if args.smoke else args.images
    for part in args.parts:
        for name, side in SETTINGS:
            rows = list(PARTS[part](name, side, images))
            for row in rows:
                print(*row, sep="\t", flush=True)
            if not args.smoke:
                save(rows)


if __name__ == "__main__":
    main()
