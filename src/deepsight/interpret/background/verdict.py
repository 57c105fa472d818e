"""From effects to verdicts: the rows of the table `context`, and its caption."""

from collections.abc import Sequence

from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.interpret.background.controls import ALONE, PLACEBO
from deepsight.interpret.background.effects import ALL, SwapEffect
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.screen import SCREEN

BIASED, CLEAR, INCONCLUSIVE = "BIASED", "CLEAR", "INCONCLUSIVE"
FALSE_DISCOVERIES = 0.05
UNITS = {
    "test": "intervention",
    "class": "class name, all classes, or a pair of them",
    "effect": "what the note says, as a share of images",
    "ci_low": "share of images; 95 % interval over objects and donors",
    "ci_high": "share of images; 95 % interval over objects and donors",
    "minimum_detectable": "share of images; the true effect that would be told from 0 with a power of 0.8",
    "verdict": "BIASED, CLEAR or INCONCLUSIVE; for a control, holds or fails",
    "q_value": "Benjamini-Hochberg over the rows of the test, of an effect of at most δ",
    "n": "composites",
    "note": "what the effect is",
}


def context_rows(findings: Sequence[SwapEffect], *, delta: float, holds: bool) -> list[dict[str, object]]:
    """The table's rows, with q-values over the classes of the swap test."""
    several = [i for i, f in enumerate(findings) if f.test == "swap" and f.name != ALL]
    q: dict[int, float] = dict(
        zip(several, benjamini_hochberg([findings[i].estimate.p_above(delta) for i in several]), strict=True)
    )
    made = []
    for i, finding in enumerate(findings):
        effect, low, high = finding.estimate.interval()
        made.append(
            {
                "test": finding.test,
                "class": finding.name,
                "effect": effect,
                "ci_low": low,
                "ci_high": high,
                "minimum_detectable": finding.estimate.minimum_detectable,
                "verdict": context_verdict(finding, delta=delta, q=q.get(i, 0.0), holds=holds),
                "q_value": q.get(i),
                "n": finding.n,
                "note": finding.note,
            }
        )
    return made


def context_verdict(effect: SwapEffect, *, delta: float, q: float, holds: bool) -> str:
    """The verdict of one row.

    BIASED where the interval lies above δ (and, over several classes, the false discovery rate is at most
    5 %), CLEAR where it lies below δ and the masks hold the objects, else INCONCLUSIVE. The placebo control
    holds where the masks hold the objects; `background only` and `screen` are above chance or not.
    """
    _, low, high = effect.estimate.interval()
    if effect.test == PLACEBO:
        return "holds" if low > 0 else "fails"
    if effect.test in {ALONE, SCREEN}:
        return "above chance" if low > 0 else "not above chance"
    if low > delta and q <= FALSE_DISCOVERIES:
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


def context_caption(whole: SwapEffect, delta: float, holds: bool) -> str:
    """The verdict over all classes, as a sentence."""
    effect, low, high = whole.estimate.interval()
    said = context_verdict(whole, delta=delta, q=0.0, holds=holds)
    masks = "" if holds else " The masks did not pass their check, so no class can be called CLEAR."
    return (
        f"{said}: accuracy is {100 * effect:.1f} points lower (95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f}) on backgrounds of another class than on those of the object's own.{masks}"
    )
