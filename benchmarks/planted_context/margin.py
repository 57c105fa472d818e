"""How much of a donor's object stays in its background? The gap of a model that has no use for backgrounds.

    python benchmarks/planted_context/margin.py            # --smoke: fewer images

A head trained on objects on random backgrounds only is the clean model. Its gap on real images is what
the masks leave of the donors' objects; it should be 0.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from cues import Images8, K
from frozen import backbone
from run import SIZES, SMOKE
from worlds import cast

from deepsight.interpret.background.composites import Cutouts, inpaint
from deepsight.interpret.background.effects import background_gaps
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.swap_design import make_swap_design
from deepsight.model.training.linear_probe import fit_linear_probe

MARGINS = (8, 16, 24)  # of 128 working pixels


def parts_with(images: Images8, masks: Masks, margin: int) -> Cutouts:
    """The images taken apart with this margin round the donors' objects."""
    size = images.shape[1:3]
    return Cutouts(images, masks.cover(*size), inpaint(images, masks.grown(margin).cover(*size)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", type=Path, help="folder of masks, as for run.py")
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    net, sizes = backbone(), SMOKE if arguments.smoke else SIZES
    with tempfile.TemporaryDirectory() as folder:
        store = arguments.store or Path(folder)
        store.mkdir(parents=True, exist_ok=True)
        roles = cast(sizes, store, 0)
    heads = {
        w: fit_linear_probe(net.features(part.images), part.labels, K) for w, part in roles.train.items()
    }
    audit, masks = roles.audit, roles.masks
    chosen = make_swap_design(
        audit.labels, masks.accepted, objects=sizes["objects"], donors=sizes["donors"], seed=0
    )
    print("| margin | head trained in the world | gap, points | 95 % interval |\n|---|---|---|---|")
    for margin in MARGINS:
        shown = parts_with(audit.images, masks, margin).on(chosen.subject, chosen.donor)
        features = net.features(shown)
        for world, head in heads.items():
            right = head(features).argmax(axis=1) == audit.labels[chosen.subject]
            found = background_gaps(right, chosen, audit.labels, test="", note="")[0].estimate.interval()
            gap, low, high = (100 * value for value in found)
            print(f"| {margin} / 128 | {world} | {gap:.1f} | {low:.1f} to {high:.1f} |", flush=True)


if __name__ == "__main__":
    main()
