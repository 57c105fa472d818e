"""From effects to verdicts: the rows of the table `context`, and its caption."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.interpret.background.controls import ALONE, COLOUR, MATCHED, PLACEBO
from deepsight.interpret.background.effects import ALL, SwapEffect
from deepsight.interpret.background.evidence_screen import SCREEN
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.random_background_head import ZERO

BIASED, CLEAR, INCONCLUSIVE = "BIASED", "CLEAR", "INCONCLUSIVE"
FALSE_DISCOVERIES = 0.05
FEW = "; the interval is as wide as so few objects require at least (rule of three)"
UNITS = {
    "test": "intervention",
    "class": "class name, all classes, or a pair of them",
    "effect": "what the note says, as a share of images",
    "ci_low": "share of images; 95 % interval over objects and donors",
    "ci_high": "share of images; 95 % interval over objects and donors",
    "minimum_detectable": "share of images; the true effect that the test would detect with a power of 0.8",
    "verdict": "BIASED, CLEAR or INCONCLUSIVE; for a control, holds or fails",
    "q_value": "Benjamini-Hochberg over the rows of the test, of an effect of at most δ",
    "rejected": "share of the class's masks that were rejected: the verdict is about the others",
    "n": "composites",
    "note": "what the effect is",
}


@dataclass(frozen=True)
class Beside:
    """Controls reported next to the effects of the swap test, each by class name.

    Attributes:
        matched: the gap against donors that are alike in mean colour.
        colour: the gap of plain backgrounds in the donors' mean colours.
        rejected: the share of rejected masks.
    """

    matched: Mapping[str, SwapEffect] = field(default_factory=lambda: MappingProxyType({}))
    colour: Mapping[str, SwapEffect] = field(default_factory=lambda: MappingProxyType({}))
    rejected: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def confirm(self, name: str, delta: float) -> bool:
        """Whether the gap of a class exceeds what a mismatch of colours between object and background causes.

        The gap against donors of the same colour is above 0; or the colour itself is the cue, as its own gap
        is above δ. True where neither control was made.
        """
        alike, plain = self.matched.get(name), self.colour.get(name)
        if alike is None:
            return True
        return alike.estimate.interval().low > 0 or (
            plain is not None and plain.estimate.interval().low > delta
        )


NOTHING = Beside()


def context_rows(
    findings: Sequence[SwapEffect],
    *,
    delta: float,
    holds: bool,
    beside: Beside = NOTHING,
) -> list[dict[str, object]]:
    """The table's rows, with q-values over the classes of the swap test.

    Args:
        findings: one per row.
        delta: the reliance that matters, as a share of images.
        holds: whether the masks hold the objects.
        beside: the controls and the rejected masks of the classes.
    """
    several = [i for i, f in enumerate(findings) if f.test == "swap" and f.name != ALL]
    q: dict[int, float] = dict(
        zip(several, benjamini_hochberg([findings[i].estimate.p_above(delta) for i in several]), strict=True)
    )
    made = []
    for i, finding in enumerate(findings):
        effect, low, high = finding.estimate.interval()
        name = finding.name if finding.test == "swap" else None
        made.append(
            {
                "test": finding.test,
                "class": finding.name,
                "effect": effect,
                "ci_low": low,
                "ci_high": high,
                "minimum_detectable": finding.estimate.minimum_detectable,
                "verdict": context_verdict(
                    finding,
                    delta=delta,
                    q=q.get(i, 0.0),
                    holds=holds,
                    confirmed=name is None or beside.confirm(name, delta),
                ),
                "q_value": q.get(i),
                "rejected": None if name is None else beside.rejected.get(name),
                "n": finding.n,
                "note": finding.note + (FEW if finding.estimate.at_floor else ""),
            }
        )
    return made


def context_verdict(
    effect: SwapEffect, *, delta: float, q: float, holds: bool, confirmed: bool = True
) -> str:
    """The verdict of one row.

    BIASED where the interval lies above δ (and, over several classes, the false discovery rate is at most
    5 %), and the controls confirm it (`Beside.confirm`). CLEAR where it lies below δ and the masks hold the
    objects, else INCONCLUSIVE. The placebo control holds where the masks hold the objects; `background only`
    and `screen` are above chance or not.
    """
    _, low, high = effect.estimate.interval()
    if effect.test == PLACEBO:
        return "holds" if low > 0 else "fails"
    if effect.test in {ALONE, SCREEN}:
        return "above chance" if low > 0 else "not above chance"
    if effect.test in {MATCHED, COLOUR, ZERO}:
        return "above 0" if low > 0 else "not above 0"
    if low > delta and q <= FALSE_DISCOVERIES and confirmed:
        return BIASED
    return CLEAR if high < delta and holds else INCONCLUSIVE


def context_method(masks: Masks, quality: MaskQuality, donors: int, delta: float) -> str:
    """How the effects were measured, with the masks' errors."""
    rejected = float((~masks.accepted).mean())
    return (
        f"Swap test after Xiao et al. (2021), {donors} donors of each kind, δ = {delta:g}; errors clustered "
        f"by object and by donor (Cameron et al. 2011). GrabCut masks, {rejected:.0%} of {len(masks)} "
        f"rejected; on {quality.n} composites of known masks they find {quality.sensitivity:.0%} of the "
        f"object and leave out {quality.specificity:.0%} of the background."
    )


def context_caption(whole: SwapEffect, delta: float, holds: bool, beside: Beside) -> str:
    """The verdict over all classes, as a sentence, with its matched control."""
    effect, low, high = whole.estimate.interval()
    alike, alike_low, alike_high = beside.matched[ALL].estimate.interval()
    plain = beside.colour[ALL].estimate.interval()
    confirmed = beside.confirm(ALL, delta)
    said = context_verdict(whole, delta=delta, q=0.0, holds=holds, confirmed=confirmed)
    masks = "" if holds else " The masks did not pass their check, so no class can be called CLEAR."
    return (
        f"{said}: accuracy on pasted objects is {100 * effect:.1f} points lower (95 % interval "
        f"{100 * low:.1f} to {100 * high:.1f}) on backgrounds of another class than on those of their own, "
        f"and {100 * alike:.1f} points lower ({100 * alike_low:.1f} to {100 * alike_high:.1f}) on those of "
        f"another class that are alike in mean colour (control); plain ones in the same colours cost "
        f"{100 * plain.value:.1f} points ({100 * plain.low:.1f} to {100 * plain.high:.1f}).{masks}"
    )


def rejected_masks(masks: Masks, labels: Ints, classes: Sequence[str]) -> dict[str, float]:
    """The share of rejected masks of all classes and of each class with images."""
    of_class = {classes[c]: float((~masks.accepted[labels == c]).mean()) for c in np.unique(labels)}
    return {ALL: float((~masks.accepted).mean()), **of_class}


def masks_sentence(masks: Masks, labels: Ints, classes: Sequence[str]) -> str:
    """How many masks were rejected, and which classes the verdict is not about."""
    share = rejected_masks(masks, labels, classes)
    of_class = [share[name] for name in share if name != ALL]
    present, usable = np.unique(labels), np.bincount(labels[masks.accepted], minlength=len(classes))
    said = (
        f" {share[ALL]:.0%} of the masks were rejected, by class {min(of_class):.0%} to {max(of_class):.0%}; "
        "the verdict is about the others."
    )
    if len(present) < len(classes):
        said += f" {len(present)} of {len(classes)} classes were drawn at random and represent all."
    lacking = [classes[c] for c in present if usable[c] < 2]
    return said + (f" Left out for lack of masks: {', '.join(lacking)}." if lacking else "")
