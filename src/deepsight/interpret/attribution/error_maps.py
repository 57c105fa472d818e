"""Maps of the most confident errors of every confused pair, with their pictures."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats, Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.images import overlay
from deepsight.images.captions import Caption, captioned_row
from deepsight.interpret.attribution import attribution_tables
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.background import grabcut
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs

MAIN_PAIRS = 6  # whose errors also get a mask, which costs as much as ten maps
OF_MAIN, OF_OTHERS = 4, 2  # errors of each main pair, and of each other pair
MOST_PICTURES = 150  # of about 3 kB each


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
    p = inputs.predictions
    probabilities = p.probabilities  # once: of many images and classes they take a GB
    pairs = pairs_by_count(evidence, inputs.classes)
    main, others = errors_to_map(p.labels, probabilities, pairs, most)
    chosen = np.concatenate([main, others])
    images = inputs.test.pixels(chosen)
    layer, kind = attributor.layer, attributor.method
    both = np.stack([p.predicted[chosen], p.labels[chosen]], axis=1)
    found, of_mirrored = (attributor.maps(x, both) for x in (images, images[:, :, ::-1]))
    cut = grabcut.segment_objects(images[: len(main)], seed=inputs.seed).padded(len(chosen))
    table = attribution_tables.attribution_table(
        found, cut, ids=p.ids[chosen], labels=p.labels[chosen],
        probabilities=probabilities[chosen], classes=inputs.classes, layer=layer, kind=kind,
        mirrored=of_mirrored,
    )  # fmt: skip
    values = attribution_tables.map_values_table(
        found, both, ids=p.ids[chosen], classes=inputs.classes, layer=layer
    )
    drawn = draw_maps(table.frame, images, found, f"{layer.name}: {layer.side} x {layer.side} cells, {kind}")
    return Findings(Evidence({"attribution": table, "attribution_maps": values}), drawn)


def pairs_by_count(evidence: Evidence, classes: Sequence[str]) -> list[tuple[int, int]]:
    """The (true, predicted) classes of the pairs that were confused, the most frequent first."""
    place = {name: i for i, name in enumerate(classes)}
    # Most of a million pairs of a thousand classes are never confused.
    frame = evidence["confusion_pairs"].frame.filter(pl.col("count") > 0)
    ranked = frame.sort("count", descending=True, maintain_order=True).select("true", "predicted")
    return [(place[a], place[b]) for a, b in ranked.rows()]


def errors_to_map(
    labels: Ints, probabilities: Floats, pairs: Sequence[tuple[int, int]], most: int
) -> tuple[Ints, Ints]:
    """Positions of the most confident errors, pair by pair: of the main confused pairs, then of the others.

    Args:
        labels: int64 (n,).
        probabilities: (n, k).
        pairs: from `pairs_by_count`.
        most: errors in total.

    Raises:
        DeepSightError: there is no error.
    """
    ask = partial(attribution_tables.confident_errors, labels, probabilities)
    main = ask(pairs[:MAIN_PAIRS], per_pair=OF_MAIN)
    if not len(main):
        raise DeepSightError("Expected errors to map, found no confused pair among the test images.")
    main = main[: max(1, most)]
    return main, ask(pairs[MAIN_PAIRS:], per_pair=OF_OTHERS)[: max(0, most - len(main))]


def draw_maps(frame: pl.DataFrame, images: Pixels, maps: Floats32, note: str) -> dict[str, bytes]:
    """The picture of each row of `attribution` by its path: image, predicted, true, predicted minus true."""

    def picture(true: str, predicted: str, image: Pixels, one: Floats32) -> bytes:
        shown = np.stack([one[0], one[1], one[0] - one[1]])
        captions = (
            Caption(true, "image"), Caption(f"for {predicted}", "for the predicted"),
            Caption(f"for {true}", "for the true class"),
            Caption(f"{predicted} - {true}", "predicted - true"),
        )  # fmt: skip
        row = overlay.overlay_row(image, shown)
        return overlay.webp_bytes(captioned_row(row, captions, note, scale=overlay.scale_of(shown)))

    rows = frame.select("file", "true", "predicted").rows()
    return {
        file: picture(true, predicted, image, one)
        for (file, true, predicted), image, one in zip(rows, images, maps, strict=True)
    }
