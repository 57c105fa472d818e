"""What the measured costs mean for ten and a hundred million images: hours and gigabytes, by extrapolation.

    python benchmarks/scale/plan.py

Reads results.csv here and that of benchmarks/million, and prints a table in Markdown. Nothing at these sizes
was carried out: time is the measured cost of the largest size, grown by the exponent between the two largest
sizes (at least 1, since no step gets cheaper per image for ever). A step of one size is taken to grow as n.
"""

import math
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
SIZES, MACHINES, CORES = (10**7, 10**8), (1, 10, 100), 16
# The step, its rows in the results, and whether machines share it.
STEPS = (
    ("decoding", HERE, "decode", False),
    ("measures of an audit", HERE, "measures", True),
    ("a network at 64 px (EfficientNet-Lite0)", HERE, "features", True),
    ("tables of predictions", HERE, "reductions", False),
    ("label errors", HERE.parent / "million", "labels", False),
    ("near-duplicates", HERE.parent / "million", "duplicates", False),
)


def measured_rows(folder: Path, part: str) -> list[dict[str, float]]:
    """The rows by one worker, the largest size last."""
    frame = pl.read_csv(folder / "results.csv", infer_schema_length=None).filter(part=part)
    if "workers" in frame.columns:
        frame = frame.filter(workers=1)
    return frame.sort("images").to_dicts()


def core_seconds(row: dict[str, float]) -> float:
    """Seconds of one core; where no processor time was noted, those of the clock on two cores."""
    if row.get("per_second"):  # of a worker with one thread; the command's own processor time says nothing
        return row["images"] / row["per_second"]
    return row.get("processor_seconds") or 2 * row["seconds"]


def exponent(rows: list[dict[str, float]]) -> float | None:
    """How time grows between the two largest sizes: as n to this power; None where there is one size."""
    if len(rows) < 2:
        return None
    few, many = rows[-2:]
    return math.log(core_seconds(many) / core_seconds(few)) / math.log(many["images"] / few["images"])


def gigabytes(row: dict[str, float], n: int) -> str:
    """Memory of the command for n images; a dash where it was not measured."""
    if row.get("per_second"):  # its workers hold one block each, whatever n is
        return "–"
    grown = max(0.0, row["peak_mb"] - row["before_mb"])
    return f"{grown * n / row['images'] / 1000:,.0f}"


def lines() -> list[str]:
    """The table."""
    heads = ["step", "measured at", "µs of a core per image", "time grew as"]
    heads += [f"{n:.0e} images, {m} machines: hours" for n in SIZES for m in MACHINES]
    heads += [f"{n:.0e}: GB of memory" for n in SIZES]
    found = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, folder, part, shared in STEPS:
        rows = measured_rows(folder, part)
        if not rows:
            continue
        row, power = rows[-1], exponent(rows)
        cells = [name, f"{row['images']:,}", f"{1e6 * core_seconds(row) / row['images']:,.0f}"]
        cells.append("one size" if power is None else f"n^{power:.2f}")
        for n in SIZES:
            whole = core_seconds(row) * (n / row["images"]) ** max(1.0, power or 1.0) / CORES / 3600
            cells += [f"{whole / (m if shared else 1):,.2g}" for m in MACHINES]
        cells += [gigabytes(row, n) for n in SIZES]
        found.append("| " + " | ".join(cells) + " |")
    return found


if __name__ == "__main__":
    print("\n".join(lines()))
