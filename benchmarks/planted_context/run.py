"""Does the swap test tell models that use a planted background cue from those that do not? See README.md.

    python benchmarks/planted_context/run.py --arrays ../shared/data/cifar10.npz

`peers.py` scores the peers on the same models afterwards, in an environment of its own.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from cues import CUES, K
from frozen import Head, Lite0
from keep import keep_data, keep_head, name_of
from numpy.typing import NDArray
from worlds import Part, Planted, natural, neutral, plant

from deepsight.interpret import mask_quality
from deepsight.interpret.composites import take_apart
from deepsight.interpret.context_controls import placebo
from deepsight.interpret.context_verdict import verdict
from deepsight.interpret.gaps import gaps
from deepsight.interpret.masks import Masks, segment
from deepsight.interpret.swap import Design, design, run
from report import summarise

HERE = Path(__file__).parent
RHOS = (1 / K, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0)
DELTA = 0.05
SIZES = {"train": 1200, "truth": 600, "audit": 350}
SMOKE = {"train": 200, "truth": 100, "audit": 80}
QUALITY = 5  # composites of known masks at each cue and alignment


@dataclass(frozen=True)
class Banks:
    """What all heads of one cue share."""

    train: Planted
    train_aligned: NDArray[np.float32]
    train_random: NDArray[np.float32]
    truth_aligned: NDArray[np.float32]
    truth_random: NDArray[np.float32]
    audit: Planted
    masks: Masks


@dataclass(frozen=True)
class Audit:
    """Composites of one cue at one alignment, as features, so that any head can be judged on them."""

    labels: NDArray[np.int64]
    chosen: Design
    features: NDArray[np.float32]
    own_mask: NDArray[np.float32]
    other_mask: NDArray[np.float32]
    holds: bool


def aligned_share(rho: float, n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which images carry their own class's cue for sure, so that a share rho carries it in all."""
    return rng.random(n) < (rho - 1 / K) / (1 - 1 / K)


def banks(net: Lite0, parts: dict[str, Part], masks: Masks, cue: str, seed: int) -> Banks:
    train, truth, audit = (
        plant(parts[name], cue, seed + i) for i, name in enumerate(("train", "truth", "audit"))
    )
    return Banks(
        train,
        net(train.aligned),
        net(train.random),
        net(truth.aligned),
        net(truth.random),
        audit,
        masks,
    )


def audited(bank: Banks, rho: float, seed: int) -> Part:
    """What an auditor has: held-out images of the biased distribution."""
    take = aligned_share(rho, len(bank.audit.labels), np.random.default_rng(seed))
    return Part(bank.audit.mixed(take), bank.audit.labels)


def shown_to_peers(bank: Banks, rho: float, seed: int) -> tuple[Part, Masks, Part]:
    """The auditor's images and masks, and training images at this alignment."""
    take = aligned_share(rho, len(bank.train.labels), np.random.default_rng((seed, 0)))
    return audited(bank, rho, seed), bank.masks, Part(bank.train.mixed(take), bank.train.labels)


def prepare(net: Lite0, bank: Banks, rho: float, *, objects: int, donors: int, seed: int) -> Audit:
    """Masks, composites and their features at one alignment."""
    part, masks = audited(bank, rho, seed), bank.masks
    images, labels = part.images, part.labels
    quality = mask_quality.measure(images, masks, n=QUALITY, seed=seed)
    chosen = design(labels, masks.accepted, objects=objects, donors=donors, seed=seed)
    parts = take_apart(images, masks)
    shown: list[NDArray[np.float32]] = []

    def record(seen: NDArray[np.uint8]) -> NDArray[np.float32]:
        shown.append(net(seen))
        return shown[-1]

    run(parts, chosen, record)
    features = np.concatenate(shown)
    shown.clear()
    placebo(parts, masks, labels, chosen.first_of_each(labels), record, seed=seed)
    own, other = np.split(np.concatenate(shown), 2)  # the placebo control shows the own masks first
    return Audit(labels, chosen, features, own, other, quality.good_enough)


def heads(bank: Banks, rho: float, count: int, seed: int) -> Iterator[Head]:
    """Heads on bootstrap samples of the training images at this alignment, with different penalties."""
    n = len(bank.train.labels)
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        features = np.where(aligned_share(rho, n, rng)[:, None], bank.train_aligned, bank.train_random)
        rows = rng.integers(n, size=n)
        yield Head(features[rows], bank.train.labels[rows], K, ridge=float(10 ** rng.uniform(-1.5, 0.5)))


def judge(head: Head, bank: Banks, truth_labels: NDArray[np.int64], audit: Audit) -> dict[str, object]:
    """True reliance, and what the swap test says."""
    aligned = head(bank.truth_aligned).argmax(axis=1) == truth_labels
    permuted = head(bank.truth_random).argmax(axis=1) == truth_labels
    right = head(audit.features).argmax(axis=1) == audit.labels[audit.chosen.subject]
    whole, of_class = gaps(right, audit.chosen, audit.labels, test="swap", note="")
    _, low, high = whole.found.interval()
    few = audit.chosen.first_of_each(audit.labels)
    subject = few.subject[audit.labels[few.subject] != audit.labels[few.donor]]
    holds = [
        (head(features).argmax(axis=1) == audit.labels[subject]).mean()
        for features in (audit.own_mask, audit.other_mask)
    ]
    return {
        "accuracy": float(permuted.mean()),
        "reliance": float(aligned.mean() - permuted.mean()),
        "gap": whole.found.value,
        "ci_low": low,
        "ci_high": high,
        "minimum_detectable": whole.found.minimum_detectable,
        "largest_class_gap": max(f.found.value for f in of_class.values()),
        "placebo": float(holds[0] - holds[1]),
        "verdict": verdict(whole, delta=DELTA, q=0.0, holds=audit.holds and holds[0] > holds[1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrays", type=Path, default=Path("../shared/data/cifar10.npz"))
    parser.add_argument("--worlds", nargs="+", default=["neutral", "natural"], choices=["natural", "neutral"])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument(
        "--models", type=Path, default=None, help="folder that heads are kept in, for peers.py"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    sizes, net = (SMOKE if args.smoke else SIZES), Lite0()
    clean, others, objects, donors = (3, 1, 40, 1) if args.smoke else (25, 10, 200, 2)
    parts, rows, start = natural(args.arrays, sizes, args.seed), [], time.perf_counter()
    masks = segment(parts["audit"].images)
    for world in args.worlds:
        here = parts if world == "natural" else neutral(parts, args.seed)
        for c, cue in enumerate(CUES):
            bank = banks(net, here, masks, cue, args.seed + 10 * c)
            for rho in RHOS:
                audit = prepare(net, bank, rho, objects=objects, donors=donors, seed=args.seed + c)
                if args.models:
                    path = args.models / name_of(world, cue, rho, "data")
                    keep_data(path, *shown_to_peers(bank, rho, args.seed + c))
                count = clean if rho == RHOS[0] else others
                for i, head in enumerate(heads(bank, rho, count, args.seed + c)):
                    found = judge(head, bank, here["truth"].labels, audit)
                    rows.append({"world": world, "cue": cue, "rho": round(rho, 3), "model": i, **found})
                    if args.models:
                        keep_head(args.models, rows[-1], head)
            print(f"{time.perf_counter() - start:.0f} s: {world}, {cue}", file=sys.stderr, flush=True)
            if not args.smoke:
                save(rows, HERE / "results.csv")
    print(summarise(rows))


def save(rows: Sequence[dict[str, object]], path: Path) -> None:
    """What there is so far; a run takes long enough to be cut short."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in r.items()} for r in rows)


if __name__ == "__main__":
    main()
