"""How does the error fall with pixels, images and passes? The constants of the planner.

    python benchmarks/recipes/sizes.py [--sizes 96:6000:1 ...] [--smoke]

Trains the planner's own recipe on CIFAR-10 rows and scores it on 10,000 training images that are set apart,
as run.py does. Then it fits the planner's error, least + more · (images · passes^p / 10,000)^e, with one pair
of constants per resolution, and prints the fit beside the constants in use. A row is added to sizes.csv as it
comes.
"""

import argparse
import csv
import itertools
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from run import SCORED, rows_of, trained
from scipy.optimize import least_squares

from deepsight.core.environment import processor
from deepsight.core.recipe import Recipe
from deepsight.core.statistics.intervals import macro_f1
from deepsight.model.plan_search import (
    ERROR_EXPONENT,
    LEAST_ERROR,
    MORE_ERROR,
    PASS_EXPONENT,
    averaged_for,
    error_of_plan,
    views_for,
)

HERE = Path(__file__).resolve().parent
Size = tuple[int, int, float]
SIZES: tuple[Size, ...] = (
    (64, 4_000, 1), (64, 12_000, 1), (64, 36_000, 1), (64, 4_000, 2), (64, 12_000, 3),
    (96, 4_000, 1), (96, 12_000, 1), (96, 24_000, 1), (96, 4_000, 3), (96, 12_000, 2),
    (128, 4_000, 1), (128, 12_000, 1), (128, 24_000, 1), (128, 4_000, 2),
)  # fmt: skip
FIELDS = (
    "resolution", "rows", "epochs", "seed", "macro_f1", "expected", "seconds",
    "n", "scored_on", "machine", "torch",
)  # fmt: skip


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=size_of, default=SIZES, help="RESOLUTION:IMAGES:PASSES")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--results", type=Path, default=HERE / "sizes.csv")
    parser.add_argument("--fit", action="store_true", help="fit the rows of the results file")
    parser.add_argument("--smoke", action="store_true", help="256 rows, to prove that it works")
    return parser.parse_args()


def size_of(text: str) -> Size:
    resolution, rows, epochs = text.split(":")
    return int(resolution), int(rows), float(epochs)


def measured(sizes: tuple[Size, ...], seeds: list[int], scored: int) -> Iterator[dict[str, object]]:
    """One row per training."""
    torch.set_num_threads(2)
    for seed, (resolution, rows, epochs) in itertools.product(seeds, sizes):
        splits = rows_of(rows, scored, seed)
        recipe = Recipe(
            resolution=resolution, epochs=epochs, views=views_for(epochs), seed=seed,
            averaged=averaged_for(epochs, rows, Recipe().batch),
        )  # fmt: skip
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            predictor = trained("as it is", splits, recipe, Path(folder))
        seconds = time.perf_counter() - began
        predicted = predictor.predictions(splits.test, name="test").predicted
        yield {
            "resolution": resolution, "rows": rows, "epochs": epochs, "seed": seed,
            "seconds": round(seconds, 1),
            "macro_f1": round(macro_f1(splits.test.labels, predicted, len(splits.classes)), 4),
            "expected": round(1 - error_of_plan(resolution, rows, epochs), 4),
            "n": len(splits.test), "scored_on": "train, set apart", "machine": processor(),
            "torch": f"{torch.__version__}, python {platform.python_version()}",
        }  # fmt: skip


def fitted(rows: list[dict[str, str]]) -> tuple[dict[int, tuple[float, float]], float, float, float]:
    """Constants (least, more) per resolution, exponents of images and passes, and the largest residual.

    The exponents in use stay where the rows cannot tell: each is drawn to it with a weight of one training
    that is off by 0.005 per tenth.
    """
    sides = sorted({int(row["resolution"]) for row in rows})
    at = np.array([sides.index(int(row["resolution"])) for row in rows])
    images, passes, error = (
        np.array([float(row[name]) for row in rows]) for name in ("rows", "epochs", "macro_f1")
    )
    error = 1 - error

    def expected(values: np.ndarray) -> np.ndarray:
        least, more = np.exp(values[: len(sides)]), np.exp(values[len(sides) : -2])
        return np.asarray(least[at] + more[at] * (images * passes ** values[-1] / 10_000) ** values[-2])

    def off(values: np.ndarray) -> np.ndarray:
        drawn = 0.05 * (values[-2:] - (ERROR_EXPONENT, PASS_EXPONENT))
        return np.append(expected(values) - error, drawn)

    start = [*np.log([LEAST_ERROR[s] for s in sides]), *np.log([MORE_ERROR[s] for s in sides])]
    best = least_squares(off, [*start, ERROR_EXPONENT, PASS_EXPONENT]).x
    pairs = zip(np.exp(best[: len(sides)]), np.exp(best[len(sides) : -2]), strict=True)
    constants = {side: (float(least), float(more)) for side, (least, more) in zip(sides, pairs, strict=True)}
    return constants, float(best[-2]), float(best[-1]), float(np.abs(expected(best) - error).max())


def report(path: Path) -> str:
    """The measured rows beside what the planner expects, and the constants that fit them."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    constants, images, passes, worst = fitted(rows)
    lines = ["| resolution | images | passes | macro-F1 | expected |", "|---|---|---|---|---|"]
    lines += [
        f"| {r['resolution']} | {int(r['rows']):,} | {float(r['epochs']):g} | {float(r['macro_f1']):.3f} "
        f"| {1 - error_of_plan(int(r['resolution']), int(r['rows']), float(r['epochs'])):.3f} |"
        for r in rows
    ]
    lines += [
        f"{side} px: least {least:.3f} (in use {LEAST_ERROR[side]}), more {more:.3f} ({MORE_ERROR[side]})"
        for side, (least, more) in constants.items()
    ]
    return "\n".join([*lines, f"exponents {images:.2f} and {passes:.2f}; largest residual {worst:.3f}"])


def main() -> None:
    args = parsed()
    if not args.fit:
        sizes: tuple[Size, ...] = ((64, 256, 1), (96, 256, 1)) if args.smoke else tuple(args.sizes)
        with args.results.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            for row in measured(sizes, args.seeds, 256 if args.smoke else SCORED):
                writer.writerow(row)
                file.flush()
    print(report(args.results))


if __name__ == "__main__":
    main()
