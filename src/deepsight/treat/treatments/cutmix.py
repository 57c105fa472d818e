"""CutMix: a rectangle of another image is pasted in, and the label shared out by area (Yun et al. 2019)."""

from deepsight.core.recipe import MixOn
from deepsight.treat.treatments.base import Treatment, recipe_change


def treatment(*, alpha: float = 1.0, mix_on: MixOn = "maps") -> Treatment:
    """An object must be recognised from its parts, so that no single cue, such as the background, suffices.

    Args:
        alpha: of the Beta distribution of the share; 1 is uniform, as in the paper.
        mix_on: "maps" pastes into cached maps, anew in every step, at no cost; "images" pastes pixels as the
            paper does, once for each cached view.
    """
    name = "cutmix" if mix_on == "maps" else "cutmix_images"
    return Treatment(name, "background reliance", recipe_change(mix="cutmix", mix_alpha=alpha, mix_on=mix_on))
