"""Does a study take the time and memory that its planner predicted, and does more time give a better model?

    python benchmarks/planner/run.py [--minutes 1 3 5 10 20] [--busy 0 1 2 4] [--data URI] [--results FILE]

Runs `deepsight run --minutes M` for each budget and each number of busy processes beside it, one after the
other, each with an empty trunk cache. What a study promises is read off the line in which it shows its plan:
the seconds that have passed since its process started, and those that the plan predicts. Rows are added to
promises.csv as they come.
"""

import argparse
import contextlib
import csv
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from deepsight.core.environment import processor
from deepsight.core.run import Run
from deepsight.obtain.cache import cache_folder

HERE = Path(__file__).resolve().parent
FIELDS = (
    "data", "busy", "minutes", "resolution", "rows", "epochs", "predicted_s", "took_s", "promised_s",
    "wall_s", "predicted_mb", "peak_mb", "macro_f1", "ci_low", "ci_high", "load", "machine",
)  # fmt: skip


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many other processes that each keep a core busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def study(data: str, minutes: float, busy: int, folder: Path) -> dict[str, object]:
    """One study by the command line, in a process of its own; CIFAR-10 is in the cache already."""
    cache, out = folder / "cache", folder / "run"
    cache.mkdir()
    (cache / "cifar10").symlink_to(cache_folder() / "cifar10")
    command = [sys.executable, "-m", "deepsight", "run", "--data", data, "--minutes", str(minutes)]
    command += ["--out", str(out)]
    load = os.getloadavg()[0]
    with busy_processes(busy):
        promised, wall = promised_and_taken(command, {"DEEPSIGHT_CACHE": str(cache)})
    run = Run.open(out)
    plan, metrics = yaml.safe_load(run.file("study.yaml").read_text(encoding="utf-8"))["plan"], run.metrics()
    low, high = metrics["macro_f1_ci95"]
    return {
        "data": data.split(":", maxsplit=1)[0], "busy": busy, "minutes": minutes,
        "resolution": metrics["resolution"], "rows": plan["train_rows"],
        "epochs": plan["recipe"]["epochs"], "predicted_s": round(sum(plan["predicted_seconds"].values()), 1),
        "took_s": round(metrics["seconds"]["total"], 1), "promised_s": round(promised, 1),
        "wall_s": round(wall, 1),
        "predicted_mb": plan["predicted_peak_mb"], "peak_mb": round(metrics["peak_rss_mb"]),
        "macro_f1": round(metrics["macro_f1"], 4), "ci_low": round(low, 4), "ci_high": round(high, 4),
        "load": round(load, 1), "machine": processor(),
    }  # fmt: skip


def promised_and_taken(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start of a study's process to its end: as its plan says, and in fact."""
    began, promised = time.perf_counter(), float("nan")
    whole = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if found := re.match(r"Plan: .*predicted (\d+) s", line):
                promised = time.perf_counter() - began + int(found[1])
    if process.returncode not in {0, 3}:  # 3: done, and below the gate
        raise SystemExit(f"The study ended with status {process.returncode}.")
    return promised, time.perf_counter() - began


def table(rows: list[dict[str, object]]) -> str:
    """Predictions beside what came; seconds from the start of the process."""
    lines = ["| minutes, busy | plan | promised, took, s | ratio | predicted, came, MB | ratio | macro-F1 |"]
    lines.append("|---|---|---|---|---|---|---|")
    for r in rows:
        number = {name: float(str(r[name])) for name in FIELDS[2:-1]}
        seconds = f"{r['promised_s']}, {r['wall_s']} | {number['wall_s'] / number['promised_s']:.2f}"
        memory = f"{r['predicted_mb']}, {r['peak_mb']} | {number['peak_mb'] / number['predicted_mb']:.2f}"
        plan = f"{r['resolution']} px, {r['rows']} rows, {r['epochs']} epochs"
        score = f"{r['macro_f1']} ({r['ci_low']} to {r['ci_high']})"
        lines.append(f"| {r['minutes']}, {r['busy']} | {plan} | {seconds} | {memory} | {score} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 3, 5, 10, 20])
    parser.add_argument("--results", type=Path, default=HERE / "promises.csv")
    parser.add_argument("--busy", type=int, nargs="+", default=[0], help="busy processes beside the study")
    parser.add_argument("--data", default="cifar10", help="what is studied, as deepsight run takes it")
    args = parser.parse_args()
    rows: list[dict[str, object]] = []
    for minutes, busy in itertools.product(args.minutes, args.busy):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(study(args.data, minutes, busy, Path(folder)))
        with args.results.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(rows[-1])
    print(table(rows))


if __name__ == "__main__":
    main()
