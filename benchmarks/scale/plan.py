"""What the measured costs mean for ten and a hundred million images: hours and gigabytes, by extrapolation.

    python benchmarks/scale/plan.py

Reads results.csv here and that of benchmarks/million, and prints a table in Markdown. Nothing at these sizes
was carried out: time is the measured cost of the largest size, times the growth of the step.
"""

from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
SIZES, MACHINES, CORES = (10**7, 10**8), (1, 10, 100), 16
# The step, its rows in the results, the exponent by which its time grows, and whether machines share it.
STEPS = (
    ("decoding", HERE, "decode", 1.0, False),
    ("measures of an audit", HERE, "measures", 1.0, True),
    ("tables of predictions", HERE, "reductions", 1.0, False),
    ("label errors", HERE.parent / "million", "labels", 1.0, False),
    ("near-duplicates", HERE.parent / "million", "duplicates", 1.5, False),
)


def largest_row(folder: Path, part: str) -> dict[str, float] | None:
    """The row of the largest measured size by one worker; None where nothing was measured."""
    path = folder / "results.csv"
    if not path.exists():
        return None
    frame = pl.read_csv(path).filter(part=part)
    if "workers" in frame.columns:
        frame = frame.filter(workers=1)
    return None if frame.is_empty() else frame.sort("images").row(-1, named=True)


def core_seconds(row: dict[str, float]) -> float:
    """Seconds of one core; where no processor time was noted, those of the clock on two cores."""
    return row.get("processor_seconds") or 2 * row["seconds"]


def lines() -> list[str]:
    """The table."""
    heads = ["step", "measured at", "µs of a core per image", "time grows as"]
    heads += [f"{n:.0e} images, {m} machines: hours" for n in SIZES for m in MACHINES]
    heads += [f"{n:.0e}: GB of memory" for n in SIZES]
    found = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, folder, part, exponent, shared in STEPS:
        row = largest_row(folder, part)
        if row is None:
            continue
        cells = [name, f"{row['images']:,}", f"{1e6 * core_seconds(row) / row['images']:,.0f}"]
        cells.append("n" if exponent == 1 else f"n^{exponent:g}")
        for n in SIZES:
            whole = core_seconds(row) * (n / row["images"]) ** exponent / CORES / 3600
            cells += [f"{whole / (m if shared else 1):,.2g}" for m in MACHINES]
        grown = max(0.0, row["peak_mb"] - row["before_mb"])
        cells += [f"{grown * n / row['images'] / 1000:,.1f}" for n in SIZES]
        found.append("| " + " | ".join(cells) + " |")
    return found


if __name__ == "__main__":
    print("\n".join(lines()))
