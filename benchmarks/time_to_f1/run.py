"""How long does each arm take to a macro-F1 on CIFAR-10's 10,000 test images, from process start?

    python benchmarks/time_to_f1/run.py [--targets 0.85 0.90] [--peers-python .peers/bin/python] [--smoke]

Every arm is a process of its own; arms take turns within a target and a seed. Rows are added to
results.csv as they come, and plot.html shows them. An arm that ends below its target is in the table, marked.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESNET = HERE.parents[1].parent / "shared/weights/resnet18_imagenet_to_layer3.safetensors"
FIELDS = (
    "arm", "backbone", "resolution", "seed", "target", "rows", "seconds", "macro_f1", "n_test", "peak_rss_mb",
    "epochs", "load", "machine", "versions",
)  # fmt: skip
# By target: our resolution, training rows and passes after the closed-form head, and the peers' passes.
RECIPES = {
    "tf_efficientnet_lite0": {
        0.65: (64, 2_000, 0.05, 1), 0.85: (96, 6_000, 1, 1), 0.90: (128, 12_000, 1, 2),
        0.92: (128, 32_000, 1, 3), 0.94: (160, 49_000, 1.5, 5),
    },
    # The last stage of its file starts at random.
    "resnet18": {0.65: (64, 6_000, 1, 3), 0.85: (128, 15_000, 1, 4), 0.90: (128, 40_000, 1, 3)},
}  # fmt: skip
ALL_ROWS = 50_000
SCRIPTS = {"ours": "ours.py", "before": "ours.py", "plain": "plain.py", "fastai": "fastai_arm.py"}
OWN = ("ours", "before")  # versions of DeepSight; the others are its peers
SAME = "-same-rows"  # ends the name of a peer's arm that gets as many training rows as ours
SAME_PASSES = 6  # of such an arm, which stops at the target; its few rows are soon seen
ARMS = (*SCRIPTS, *(f"{name}{SAME}" for name in SCRIPTS if name not in OWN))
Row = dict[str, str]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--targets", type=float, nargs="+", default=[0.65, 0.85])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["ours", "plain", f"plain{SAME}"])
    parser.add_argument("--resolution", type=int, help="of all arms; else our recipe's for the target")
    parser.add_argument("--backbone", choices=tuple(RECIPES), default="tf_efficientnet_lite0")
    parser.add_argument("--weights", type=Path, default=RESNET, help="ResNet18's file; Lite0 has its package")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--before", type=Path, help="a checkout of an earlier version, for the arm of that name"
    )
    parser.add_argument("--limit-s", type=float, default=1800, help="peers stop after it")
    parser.add_argument("--peer-rows", type=int, help="training rows of the peers; else all")
    parser.add_argument("--peer-epochs", type=int, help="of the peers; else our recipe's for the target")
    parser.add_argument("--peers-python", default=sys.executable, help="the environment in which fastai is")
    parser.add_argument("--results", type=Path, default=HERE / "results.csv")
    parser.add_argument("--smoke", action="store_true", help="a few hundred rows, to prove that it works")
    args = parser.parse_args()
    missing = set(args.targets) - set(RECIPES[args.backbone])
    if missing:
        parser.error(f"Expected targets of {[*RECIPES[args.backbone]]}, received {sorted(missing)}.")
    if "before" in args.arms and args.before is None:
        parser.error(
            "Expected --before with the checkout of an earlier version, since the arm `before` runs it."
        )
    return args


def command(args: argparse.Namespace, arm: str, seed: int, target: float) -> list[str]:
    """The process of one arm."""
    side, rows, ours, peers = RECIPES[args.backbone][target]
    ours_too, script = arm in OWN, arm.removesuffix(SAME)
    own_rows = rows if ours_too or script != arm else args.peer_rows or ALL_ROWS
    dials = {
        "backbone": args.backbone, "weights": args.weights if args.backbone == "resnet18" else "auto",
        "resolution": args.resolution or side, "seed": seed, "target": target, "limit-s": args.limit_s,
        "rows": own_rows,
        "epochs": ours if ours_too else args.peer_epochs or (peers if script == arm else SAME_PASSES),
        "test-rows": 10_000, "began": time.time(),
    }  # fmt: skip
    if args.smoke:
        dials |= {"resolution": 32, "rows": 512, "test-rows": 256}
    python = args.peers_python if script == "fastai" else sys.executable
    options = [word for name, value in dials.items() for word in (f"--{name}", str(value))]
    return [python, "-W", "ignore", str(folder_of(args, arm) / SCRIPTS[script]), *options]


def folder_of(args: argparse.Namespace, arm: str) -> Path:
    """Where the arm's script lies: here, or in the checkout of the earlier version."""
    return args.before.resolve() / "benchmarks/time_to_f1" if arm == "before" else HERE


def run_arm(args: argparse.Namespace, arm: str, seed: int, target: float) -> Row:
    """The row of one arm, which is the last line that its process prints."""
    paths = [str(folder_of(args, arm).parents[1] / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        command(args, arm, seed, target), check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    found = {name: str(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}
    return found | {"arm": arm}


def write(path: Path, rows: list[Row]) -> None:
    """All rows so far."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[Row]:
    """The rows of earlier calls."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(rows: list[Row]) -> str:
    """Every row, with its seconds over those of our arm with the same question."""
    lines = ["| arm | backbone | px | target | seed | seconds | macro-F1 | peak MB | times ours |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        same = ("backbone", "resolution", "target", "seed")
        ours = [r for r in rows if r["arm"] == "ours" and all(r[k] == row[k] for k in same)]
        mean = sum(float(r["seconds"]) for r in ours) / len(ours) if ours else float("nan")
        missed = "" if float(row["macro_f1"]) >= float(row["target"]) else " (missed)"
        lines.append(
            f"| {row['arm']} | {row['backbone']} | {row['resolution']} | {row['target']} | {row['seed']} "
            f"| {row['seconds']} | {row['macro_f1']}{missed} | {row['peak_rss_mb']} "
            f"| {float(row['seconds']) / mean:.2f} |"
        )
    return "\n".join(lines)


def plot(rows: list[Row], path: Path) -> None:
    """Macro-F1 over seconds, a colour an arm."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        seconds, scores = ([float(row[name]) for row in own] for name in ("seconds", "macro_f1"))
        texts = [f"{row['resolution']} px, target {row['target']}" for row in own]
        figure.add_scatter(x=seconds, y=scores, text=texts, name=arm, mode="markers", marker={"size": 10})
    figure.update_xaxes(title="seconds from process start to the saved model and its score", type="log")
    figure.update_yaxes(title="macro-F1 on the test images")
    figure.write_html(path, include_plotlyjs=True)


def main() -> None:
    args = parsed()
    targets = [0.65] if args.smoke else args.targets
    rows = read(args.results)
    for target, seed, arm in product(targets, args.seeds, args.arms):
        rows.append(run_arm(args, arm, seed, target))
        write(args.results, rows)
    plot(rows, args.results.with_name("plot.html"))
    print(table(rows))


if __name__ == "__main__":
    main()
