"""How much of a donor's object stays in its background? The gap of a model that has no use for backgrounds.

    python benchmarks/planted_context/margin.py --arrays FILE.npz

A head trained on objects on random backgrounds only is the clean model. Its gap on real images is what
the masks leave of the donors' objects; it should be 0.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from cues import K
from frozen import Head, Lite0
from numpy.typing import NDArray
from worlds import Part, balanced

from deepsight.interpret.composites import Parts, fill, take_apart
from deepsight.interpret.gaps import gaps
from deepsight.interpret.masks import Masks, segment
from deepsight.interpret.swap import design, run

MARGINS = (8, 16, 24)  # of 128 working pixels


def heads_of(net: Lite0, train: Part) -> dict[str, Head]:
    """One head on the images as they are, one on their objects on random backgrounds, twice each."""
    masks = segment(train.images)
    rows = np.flatnonzero(masks.accepted)
    parts, here = take_apart(train.images[rows], masks.select(rows)), np.arange(len(rows))
    shuffled = [net(parts.on(here, np.random.default_rng(s).permutation(here))) for s in range(2)]
    return {
        "as it is": Head(net(train.images), train.labels, K, ridge=0.3),
        "random backgrounds": Head(np.concatenate(shuffled), np.tile(train.labels[rows], 2), K, ridge=0.3),
    }


def parts_with(images: NDArray[np.uint8], masks: Masks, margin: int) -> Parts:
    """The images taken apart with this margin round the donors' objects."""
    size = images.shape[1:3]
    return Parts(images, masks.cover(*size), fill(images, masks.grown(margin).cover(*size)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrays", type=Path, default=Path("../shared/data/cifar10.npz"))
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    net, rng = Lite0(), np.random.default_rng(0)
    train_size, audit_size, objects, donors = (200, 80, 40, 1) if args.smoke else (1500, 450, 250, 3)
    with np.load(args.arrays) as file:
        labels = {name: file[f"{name}_labels"].ravel().astype(np.int64) for name in ("train", "test")}
        train = balanced(file["train_images"], labels["train"], train_size, rng)
        audit = balanced(file["test_images"], labels["test"], audit_size, rng)
    heads, masks = heads_of(net, train), segment(audit.images)
    chosen = design(audit.labels, masks.accepted, objects=objects, donors=donors, seed=0)
    print("| margin | head trained on CIFAR-10 with | gap | 95 % interval |\n|---|---|---|---|")
    for margin in MARGINS:
        shown: list[NDArray[np.float32]] = []

        def record(
            images: NDArray[np.uint8], shown: list[NDArray[np.float32]] = shown
        ) -> NDArray[np.float32]:
            shown.append(net(images))
            return shown[-1]

        run(parts_with(audit.images, masks, margin), chosen, record)
        for name, head in heads.items():
            right = head(np.concatenate(shown)).argmax(axis=1) == audit.labels[chosen.subject]
            gap, low, high = gaps(right, chosen, audit.labels, test="", note="")[0].found.interval()
            print(
                f"| {margin} / 128 | {name} | {100 * gap:.1f} | {100 * low:.1f} to {100 * high:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
