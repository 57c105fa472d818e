"""Maps of the most confident errors of every confused pair, with their pictures."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.images import overlay
from deepsight.interpret.attribution import attribution_tables
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.background import grabcut
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs

MAIN_PAIRS, OF_MAIN, OF_OTHERS = (
    6,
    4,
    2,
)  # a main pair's errors also get a mask, which costs as much as ten maps
MOST_PICTURES = 150  # pictures of about 3 kB


def map_errors(
    inputs: ExaminationInputs, attributor: Attributor, evidence: Evidence, *, most: int = MOST_PICTURES
) -> Findings:
    """The tables `attribution` and `attribution_maps`, and a picture of each error.

    Args:
        inputs: what is examined.
        attributor: the maps.
        evidence: reads `confusion_pairs`.
        most: errors that are mapped.

    Raises:
        DeepSightError: there is no error to map.
    """
    main, others = errors_to_map(inputs, evidence, most)
    chosen = np.concatenate([main, others])
    p, images = inputs.predictions, inputs.test.pixels(chosen)
    layer, kind = attributor.layer, attributor.method
    both = np.stack([p.predicted[chosen], p.labels[chosen]], axis=1)
    found, of_mirrored = (attributor.maps(x, both) for x in (images, images[:, :, ::-1]))
    cut = grabcut.segment(images[: len(main)], seed=inputs.seed).padded(len(chosen))
    table = attribution_tables.attribution_table(
        found, cut, ids=p.ids[chosen], labels=p.labels[chosen],
        probabilities=p.probabilities[chosen], classes=inputs.classes, layer=layer, kind=kind,
        mirrored=of_mirrored,
    )  # fmt: skip
    values = attribution_tables.map_values_table(
        found, both, ids=p.ids[chosen], classes=inputs.classes, layer=layer
    )
    drawn = draw_maps(table.frame, images, found, f"{layer.name}: {layer.side} x {layer.side} cells, {kind}")
    return Findings(Evidence({"attribution": table, "attribution_maps": values}), drawn)


def errors_to_map(
    inputs: ExaminationInputs, evidence: Evidence, most: int = MOST_PICTURES
) -> tuple[Ints, Ints]:
    """Positions of the most confident errors, pair by pair: of the main confused pairs, then of the others.

    Raises:
        DeepSightError: there is none.
    """
    p, place = inputs.predictions, {name: i for i, name in enumerate(inputs.classes)}
    frame = evidence["confusion_pairs"].frame.sort("count", descending=True, maintain_order=True)
    pairs = [(place[a], place[b]) for a, b in frame.select("true", "predicted").rows()]
    ask = partial(attribution_tables.confident_errors, p.labels, p.probabilities)
    main = ask(pairs[:MAIN_PAIRS], per_pair=OF_MAIN)
    if not len(main):
        raise DeepSightError("Expected errors to map, found no confused pair among the test images.")
    main = main[: max(1, most)]
    return main, ask(pairs[MAIN_PAIRS:], per_pair=OF_OTHERS)[: max(0, most - len(main))]


def draw_maps(frame: pl.DataFrame, images: Pixels, maps: Floats32, note: str) -> dict[str, bytes]:
    """The picture of each row of `attribution` by its path: image, predicted, true, predicted minus true."""

    def picture(true: str, predicted: str, image: Pixels, one: Floats32) -> bytes:
        shown = np.stack([one[0], one[1], one[0] - one[1]])
        words: Sequence[str] = (true, f"for {predicted}", f"for {true}", f"{predicted} - {true}")
        row = overlay.overlay_row(image, shown)
        return overlay.webp_bytes(overlay.captioned_row(row, words, note, scale=overlay.scale_of(shown)))

    rows = frame.select("file", "true", "predicted").rows()
    return {
        file: picture(true, predicted, image, one)
        for (file, true, predicted), image, one in zip(rows, images, maps, strict=True)
    }
