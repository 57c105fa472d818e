"""Hundreds of heads on frozen features: what all heads of a cue share is computed once."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cues import CUES, Images8, K
from frozen import Floats, backbone, components, object_features
from keep import keep_data, keep_head
from numpy.typing import NDArray
from worlds import Planted, Roles, aligned_share, plant

from deepsight.interpret.background.composites import Cutouts, cut_out
from deepsight.interpret.background.controls import (
    COLOUR,
    like_background_design,
    matched_gaps,
    with_plain_backgrounds,
)
from deepsight.interpret.background.effects import ALL, SwapEffect, background_gaps
from deepsight.interpret.background.evidence_screen import auroc, margin_against, objects_lost_in_swaps
from deepsight.interpret.background.swap_design import SwapDesign, make_swap_design
from deepsight.interpret.background.verdict import Beside, context_verdict
from deepsight.model.predict import Predictor
from deepsight.model.training.linear_probe import LinearProbe, fit_linear_probe

RHOS = (1 / K, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0)
DELTA = 0.05
TRAINED_ON, AUDITED_ON = 0.8, 0.7  # of the training images and of the objects, drawn anew for each head
KEPT = 2  # heads of each cue and alignment that the peers see

Both = tuple[Floats, Floats]
Row = dict[str, object]


@dataclass(frozen=True)
class Counts:
    """Heads of each cue: without a use for it, and at each other alignment."""

    clean: int
    others: int


@dataclass(frozen=True)
class Audit:
    """What the swap test shows to the models of one cue, as features.

    Attributes:
        labels: (n,), of the audit's images.
        chosen: the composites (c).
        composites: (2, 2, c, d), by whether the object's and the donor's image carry their class's cue for
            sure or a random one.
        whole, alone: (2, n, d), the images themselves, and what the object's cells add to their features.
        alike: composites with donors of another class that are alike in mean colour; cues for sure.
        matched: (m, d), of these.
        few: composites with one donor of each kind.
        plain: (f, d), of these on plain backgrounds in the donors' mean colours.
    """

    labels: NDArray[np.int64]
    chosen: SwapDesign
    composites: Floats
    whole: Floats
    alone: Floats
    alike: SwapDesign
    matched: Floats
    few: SwapDesign
    plain: Floats

    def on_basis(self, basis: Floats) -> "Audit":
        """The same with all features as coordinates on a basis (d, c)."""
        names = ("composites", "whole", "alone", "matched", "plain")
        return replace(self, **{name: getattr(self, name) @ basis for name in names})


@dataclass(frozen=True)
class Truth:
    """Features of the images that the true reliance is measured on: with the cue aligned, and permuted."""

    aligned: Floats
    permuted: Floats
    labels: NDArray[np.int64]


def audit_of(
    net: Predictor, roles: Roles, planted: Planted, *, objects: int, donors: int, seed: int
) -> Audit:
    """Every composite in its four versions, so that any head can be audited at any alignment."""
    labels, masks = planted.labels, roles.masks
    chosen = make_swap_design(labels, masks.accepted, objects=objects, donors=donors, seed=seed)
    versions = [cut_out(images, masks) for images in (planted.random, planted.aligned)]
    shown = [[net.features(on(fore, back, chosen)) for back in versions] for fore in versions]
    side = list(net.sides().values())[-1]
    cover = masks.cover(side, side)
    split = [object_features(net, images, cover) for images in (planted.random, planted.aligned)]
    whole, alone = (np.stack(part) for part in zip(*split, strict=True))
    few, sure = chosen.first_of_each(labels), versions[1]
    alike = like_background_design(sure, chosen, labels, masks.accepted)
    matched = net.features(sure.on(alike.subject, alike.donor))
    plain = net.features(with_plain_backgrounds(sure).on(few.subject, few.donor))
    return Audit(labels, chosen, np.array(shown), whole, alone, alike, matched, few, plain)


def on(objects: Cutouts, backgrounds: Cutouts, chosen: SwapDesign) -> Images8:
    """Objects of one version of the images on backgrounds of another."""
    return replace(objects, backgrounds=backgrounds.backgrounds).on(chosen.subject, chosen.donor)


def heads_of(
    features: Both, labels: NDArray[np.int64], rho: float, count: int, seed: int
) -> Iterator[LinearProbe]:
    """Heads that differ in the images they are trained on, and in which of these carry the cue."""
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        rows = rng.permutation(len(labels))[: round(TRAINED_ON * len(labels))]
        take = aligned_share(rho, len(rows), rng)[:, None]
        yield fit_linear_probe(np.where(take, features[1][rows], features[0][rows]), labels[rows], K)


def judge(head: LinearProbe, truth: Truth, audit: Audit, rho: float, *, holds: bool, seed: int) -> Row:
    """True reliance, what the swap test says, and what the screen says.

    The audited images carry the cue as their labels say, as in the truth, and `verdict` needs a control that
    confirms it; `gap_verdict` is by the gap alone. `own_gap` and `own_verdict` are of images at the head's
    own alignment, by the gap alone: which donors are alike there differs from head to head.
    """
    rng = np.random.default_rng((seed, 1))
    aligned = np.ones(len(audit.labels), dtype=np.int64)
    state = aligned_share(rho, len(audit.labels), rng).astype(np.int64)
    objects = np.unique(audit.chosen.subject)
    objects = rng.permutation(objects)[: round(AUDITED_ON * len(objects))]
    rows = np.flatnonzero(np.isin(audit.chosen.subject, objects))
    right, whole = swapped(head, audit, aligned, rows)
    _, own = swapped(head, audit, state, rows)
    _, low, high = whole.estimate.interval()
    chosen = SwapDesign(audit.chosen.subject[rows], audit.chosen.donor[rows])
    beside = controls(head, audit, chosen, right, objects)
    matched, colour = (of[ALL].estimate for of in (beside.matched, beside.colour))
    return {
        **reliance(head(truth.aligned), head(truth.permuted), truth.labels),
        "gap": whole.estimate.value,
        "ci_low": low,
        "ci_high": high,
        "minimum_detectable": whole.estimate.minimum_detectable,
        "verdict": context_verdict(
            whole, delta=DELTA, q=0.0, holds=holds, confirmed=beside.confirm(ALL, DELTA)
        ),
        "gap_verdict": context_verdict(whole, delta=DELTA, q=0.0, holds=holds),
        "matched_gap": matched.value,
        "matched_low": matched.interval().low,
        "colour_gap": colour.value,
        "colour_low": colour.interval().low,
        "own_gap": own.estimate.value,
        "own_verdict": context_verdict(own, delta=DELTA, q=0.0, holds=holds),
        **screened(head, audit, aligned, right, chosen),
    }


def swapped(
    head: LinearProbe, audit: Audit, state: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], SwapEffect]:
    """The swap test on these composites; images carry their class's cue for sure where `state` is 1."""
    chosen = SwapDesign(audit.chosen.subject[rows], audit.chosen.donor[rows])
    seen = audit.composites[state[chosen.subject], state[chosen.donor], rows]
    right = head(seen).argmax(axis=1) == audit.labels[chosen.subject]
    return right, background_gaps(right, chosen, audit.labels, test="swap", note="")[0]


def controls(
    head: LinearProbe, audit: Audit, chosen: SwapDesign, right: NDArray[np.bool_], objects: NDArray[np.int64]
) -> Beside:
    """The matched and the mean-colour control of these objects, as the product has them."""
    labels, kept = audit.labels, np.isin(audit.alike.subject, objects)
    alike = SwapDesign(audit.alike.subject[kept], audit.alike.donor[kept])
    there = head(audit.matched[kept]).argmax(axis=1) == labels[alike.subject]
    matched, _ = matched_gaps(chosen, right, alike, there, labels)
    kept = np.isin(audit.few.subject, objects)
    few = SwapDesign(audit.few.subject[kept], audit.few.donor[kept])
    plain = head(audit.plain[kept]).argmax(axis=1) == labels[few.subject]
    colour, _ = background_gaps(plain, few, labels, test=COLOUR, note="")
    return Beside({ALL: matched}, {ALL: colour})


def reliance(aligned: Floats, permuted: Floats, labels: NDArray[np.int64]) -> Row:
    """The truth about a model, from its logits."""
    accuracy = float((permuted.argmax(axis=1) == labels).mean())
    return {
        "accuracy": accuracy,
        "reliance": float((aligned.argmax(axis=1) == labels).mean()) - accuracy,
    }


def screened(
    head: LinearProbe, audit: Audit, state: NDArray[np.int64], right: NDArray[np.bool_], chosen: SwapDesign
) -> Row:
    """The screen as a score of the model, and as a forecast of the objects that the swaps lose.

    Of the model: the share of its right answers on the audited images that are lost with the background.
    """
    images = np.unique(chosen.subject)
    whole, alone = (head(f[state[images], images]) for f in (audit.whole, audit.alone))
    labels = audit.labels[images]
    known = whole.argmax(axis=1) == labels
    score = float((alone.argmax(axis=1) != labels)[known].mean())
    return {"screen": score, **forecasts(whole, alone, right, chosen, audit.labels)}


def forecasts(
    whole: Floats, alone: Floats, right: NDArray[np.bool_], chosen: SwapDesign, labels: NDArray[np.int64]
) -> Row:
    """AUROC of the screen, and of plain doubt, for the objects that most swaps lose."""
    objects, lost = objects_lost_in_swaps(right, chosen, labels)
    if lost.all() or not lost.any():
        return {"screen_forecast": float("nan"), "doubt_forecast": float("nan")}
    names = {"screen_forecast": alone, "doubt_forecast": whole}
    return {name: auroc(margin_against(of, labels[objects]), lost).value + 0.5 for name, of in names.items()}


def cue_rows(
    net: Predictor, roles: Roles, cue: str, *, counts: dict[str, Counts], sizes: dict[str, int],
    holds: bool, store: Path, seed: int,
) -> Iterator[Row]:  # fmt: skip
    """All heads of one cue, in every world."""
    truth, audited = plant(roles.truth, cue, seed), plant(roles.audit, cue, seed + 1)
    trained = {world: plant(roles.train[world], cue, seed + 2) for world in counts}
    banks = {w: (net.features(p.random), net.features(p.aligned)) for w, p in trained.items()}
    basis = components(np.concatenate([part for both in banks.values() for part in both]))
    of_truth = Truth(net.features(truth.aligned) @ basis, net.features(truth.random) @ basis, truth.labels)
    audit = audit_of(net, roles, audited, objects=sizes["objects"], donors=sizes["donors"], seed=seed)
    audit = audit.on_basis(basis)
    for world, bank in banks.items():
        both = bank[0] @ basis, bank[1] @ basis
        for rho in RHOS:
            count = counts[world].clean if rho == RHOS[0] else counts[world].others
            keep_data(store, world, cue, rho, audited=audited, trained=trained[world], masks=roles.masks)
            for i, head in enumerate(heads_of(both, trained[world].labels, rho, count, seed)):
                row: Row = {"kind": "head", "world": world, "cue": cue, "rho": round(rho, 3), "model": i}
                if i < KEPT:
                    keep_head(store, row, head, basis)
                yield row | judge(head, of_truth, audit, rho, holds=holds, seed=seed + i)


def all_heads(
    roles: Roles, cues: Sequence[str], *, counts: dict[str, Counts], sizes: dict[str, int], holds: bool,
    store: Path, seed: int,
) -> Iterator[Row]:  # fmt: skip
    """One row a head, cue by cue."""
    net, start = backbone(), time.process_time()
    for cue in cues:
        yield from cue_rows(
            net,
            roles,
            cue,
            counts=counts,
            sizes=sizes,
            holds=holds,
            store=store,
            seed=seed + 1000 * list(CUES).index(cue),
        )
        seconds = time.process_time() - start
        print(f"{seconds:.0f} s of the processor: heads, {cue}", file=sys.stderr, flush=True)
