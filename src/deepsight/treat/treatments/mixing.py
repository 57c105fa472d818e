"""CutMix (Yun et al. 2019) and MixUp (Zhang et al. 2018): two images in one, sharing the label."""

from deepsight.core.recipe import MixOn
from deepsight.treat.treatments.base import Treatment, recipe_change


def cutmix_treatment(*, alpha: float = 1.0, mix_on: MixOn = "maps") -> Treatment:
    """CutMix: paste a rectangle of another image, so that no single cue, such as the background, suffices.

    Args:
        alpha: of the Beta distribution of the share; 1 is uniform, as in the paper.
        mix_on: "maps" pastes into cached feature maps, anew in every step, for free; "images" pastes pixels
            as in the paper, once per cached view.
    """
    name = "cutmix" if mix_on == "maps" else "cutmix_images"
    return Treatment(name, "background reliance", recipe_change(mix="cutmix", mix_alpha=alpha, mix_on=mix_on))


def mixup_treatment(*, alpha: float = 0.2, mix_on: MixOn = "maps") -> Treatment:
    """MixUp: average two images. It makes the model less confident, which suits ambiguous labels.

    Args:
        alpha: of the Beta distribution of the share; 0.2 keeps most mixtures close to one image.
        mix_on: "maps" averages cached feature maps, anew in every step (manifold MixUp, Verma et al. 2019);
            "images" averages pixels, once per cached view.
    """
    name = "mixup" if mix_on == "maps" else "mixup_images"
    return Treatment(name, "ambiguous image", recipe_change(mix="mixup", mix_alpha=alpha, mix_on=mix_on))
