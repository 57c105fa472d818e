"""Does the swap test tell models that use a planted background cue from those that do not? See README.md.

    python benchmarks/planted_context/run.py            # both parts; writes results.csv
    python benchmarks/planted_context/run.py --smoke    # a minute

`peers.py` scores the peers on the same models afterwards, in an environment of its own.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from cues import CUES
from finetunes import networks
from frozen import RECIPE
from heads import Counts, Row, all_heads
from report import summarise
from worlds import cast

from deepsight.interpret.background import mask_quality

HERE = Path(__file__).parent
COUNTS = {"neutral": Counts(clean=30, others=8), "natural": Counts(clean=4, others=3)}
SIZES = {
    "train": 480, "truth": 3000, "audit": 450, "objects": 400, "donors": 3,
    "network_truth": 1500, "network_audit": 260, "network_donors": 2,
}  # fmt: skip
SMOKE = {
    "train": 150, "truth": 100, "audit": 120, "objects": 60, "donors": 1,
    "network_truth": 60, "network_audit": 120, "network_donors": 1,
}  # fmt: skip
PARTS = ("heads", "networks")
COMPOSITES = 40  # of known masks, for their error


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        store = arguments.store or Path(folder)
        store.mkdir(parents=True, exist_ok=True)
        rows: list[Row] = [] if arguments.smoke else others(arguments)
        for row in measured(arguments, store):
            rows.append(row)
            if not arguments.smoke:
                save(rows, arguments.results)
    print(summarise(rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--cues", nargs="+", default=list(CUES), choices=CUES, help="others keep their rows")
    parser.add_argument(
        "--store", type=Path, help="folder for masks, and for the models that peers.py scores"
    )
    parser.add_argument("--rate", type=float, default=RECIPE.learning_rate, help="of the networks' training")
    parser.add_argument("--results", type=Path, default=HERE / "results.csv")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true")
    return parser.parse_args()


def measured(arguments: argparse.Namespace, store: Path) -> Iterator[Row]:
    """One row a model of the parts that are asked for."""
    sizes, counts = (SMOKE if arguments.smoke else SIZES), COUNTS
    if arguments.smoke:
        counts = {world: Counts(clean=3, others=1) for world in COUNTS}
    roles = cast(sizes, store, arguments.seed)
    quality = mask_quality.measure_masks(roles.audit.images, roles.masks, n=COMPOSITES, seed=arguments.seed)
    print(f"masks: {roles.masks.accepted.mean():.0%} accepted, {quality}", flush=True)
    if "heads" in arguments.parts:
        yield from all_heads(
            roles, arguments.cues, counts=counts, sizes=sizes, holds=quality.good_enough, store=store,
            seed=arguments.seed,
        )  # fmt: skip
    if "networks" in arguments.parts:
        cues = arguments.cues[:1] if arguments.smoke else arguments.cues
        yield from networks(roles, quality, cues, rate=arguments.rate, sizes=sizes, seed=arguments.seed)


def others(arguments: argparse.Namespace) -> list[Row]:
    """Rows of an earlier run of the parts and cues that are not asked for now."""
    if not arguments.results.exists():
        return []
    with arguments.results.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    asked = {(part[:-1], cue) for part in arguments.parts for cue in arguments.cues}
    return [dict(row) for row in rows if (row["kind"], row["cue"]) not in asked]


def save(rows: Sequence[Row], path: Path) -> None:
    """What there is so far; a run takes long enough to be cut short."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in r.items()} for r in rows)


if __name__ == "__main__":
    main()
