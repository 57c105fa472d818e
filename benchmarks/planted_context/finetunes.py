"""Networks fine-tuned by the product's own engine, and audited by the product's own swap test."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from cues import CUES
from frozen import RECIPE
from heads import DELTA, Row, reliance
from worlds import Part, Roles, aligned_share, plant

from deepsight.core.dataset import Dataset, Splits
from deepsight.interpret.attribution.cam import signed_maps, without_background
from deepsight.interpret.background.controls import COLOUR, MATCHED
from deepsight.interpret.background.effects import ALL
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.swap_test import swap_test
from deepsight.interpret.background.verdict import BIASED
from deepsight.model import pretrained
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.predict import Predictor
from deepsight.model.training.fit import fabric_of, fit_model
from deepsight.obtain.cifar10.load import CLASSES

RHOS = (0.1, 0.5, 0.95, 1.0)
VALIDATION = 200


def dataset(part: Part, source: str) -> Dataset:
    """A part as the product's type."""
    return Dataset(part.images, part.labels, CLASSES, np.arange(len(part)), source)


def train(part: Part, truth: Part, *, rate: float, seed: int) -> Predictor:
    """A network fine-tuned on a part, with the product's recipe and one pass over it."""
    order = np.random.default_rng(seed).permutation(len(part))
    splits = Splits(
        dataset(part.select(order[VALIDATION:]), "train"),
        dataset(part.select(order[:VALIDATION]), "validation"),
        dataset(truth, "test"),
    )
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit_model(
            pretrained.load_pretrained(pretrained.PACKAGED), splits,
            replace(RECIPE, learning_rate=rate, seed=seed),
            cache=FeatureCache(Path(folder)), fabric=fabric_of(),
        )  # fmt: skip
    return fitted.predictor


def object_logits(net: Predictor, images: np.ndarray, masks: Masks) -> np.ndarray:
    """What the object's cells alone say, as in a study."""
    maps = torch.cat(list(net.map_batches(images)))
    signed = signed_maps(maps, torch.from_numpy(net.weight))
    cover = torch.from_numpy(masks.cover(*maps.shape[2:]))
    return without_background(signed, torch.from_numpy(net.bias), cover).numpy()


def audit(
    net: Predictor, part: Part, masks: Masks, quality: MaskQuality, *, sizes: dict[str, int], seed: int
) -> Row:
    """The table `context` of this network, reduced to its first row and its screen."""
    alone = object_logits(net, part.images, masks)
    table = swap_test(
        part.images, part.labels, masks, net.logits, classes=CLASSES, quality=quality, alone=alone,
        objects=sizes["objects"], donors=sizes["network_donors"], delta=DELTA, seed=seed,
    ).frame  # fmt: skip
    whole = table.filter(pl.col("test") == "swap", pl.col("class") == "all").row(0, named=True)
    names = ("ci_low", "ci_high", "minimum_detectable", "verdict")
    alike, plain = (
        table.filter(pl.col("test") == test, pl.col("class") == ALL).row(0, named=True)
        for test in (MATCHED, COLOUR)
    )
    forecast = table.filter(pl.col("test") == "screen")["effect"]
    known = net.logits(part.images).argmax(axis=1) == part.labels
    known &= masks.accepted
    return {
        "gap": whole["effect"],
        **{name: whole[name] for name in names},
        "gap_verdict": BIASED if whole["ci_low"] > DELTA else whole["verdict"],
        "matched_gap": alike["effect"],
        "matched_low": alike["ci_low"],
        "colour_gap": plain["effect"],
        "colour_low": plain["ci_low"],
        "screen": float((alone.argmax(axis=1) != part.labels)[known].mean()),
        "screen_forecast": float(forecast[0]) + 0.5 if len(forecast) else float("nan"),
    }


def networks(
    roles: Roles, quality: MaskQuality, cues: Sequence[str], *, rate: float, sizes: dict[str, int], seed: int
) -> Iterator[Row]:
    """One row a network, in the neutral world."""
    start = time.process_time()
    for cue in cues:
        for i, rho in enumerate(RHOS):
            own = seed + 100 * list(CUES).index(cue) + i
            rng = np.random.default_rng((own, 2))
            neutral, truth = plant(roles.train["neutral"], cue, own), plant(roles.truth, cue, own + 1)
            few = rng.permutation(len(truth.labels))[: sizes["network_truth"]]
            aligned, permuted = truth.aligned[few], truth.random[few]
            part = neutral.mixed(aligned_share(rho, len(neutral.labels), rng))
            net = train(part, Part(permuted, truth.labels[few]), rate=rate, seed=own)
            rows = rng.permutation(len(roles.audit))[: sizes["network_audit"]]
            seen = plant(roles.audit.select(rows), cue, own + 2)
            seen = Part(seen.aligned, seen.labels)
            yield {
                "kind": "network", "world": "neutral", "cue": cue, "rho": round(rho, 3), "model": i,
                "rate": rate,
                **reliance(net.logits(aligned), net.logits(permuted), truth.labels[few]),
                **audit(net, seen, roles.masks.select(rows), quality, sizes=sizes, seed=own),
            }  # fmt: skip
        seconds = time.process_time() - start
        print(f"{seconds:.0f} s of the processor: networks, {cue}", file=sys.stderr, flush=True)
