"""MixUp: two images and their labels are averaged (Zhang et al. 2018)."""

from deepsight.core.recipe import MixOn
from deepsight.treat.treatments.base import Treatment, recipe_change


def treatment(*, alpha: float = 0.2, mix_on: MixOn = "maps") -> Treatment:
    """The model is asked to be unsure between images, which answers labels over which people may split.

    Args:
        alpha: of the Beta distribution of the share; 0.2 keeps most mixtures close to one of the two.
        mix_on: "maps" averages cached maps, anew in every step (as manifold MixUp, Verma et al. 2019);
            "images" averages pixels, once for each cached view.
    """
    name = "mixup" if mix_on == "maps" else "mixup_images"
    return Treatment(name, "ambiguous image", recipe_change(mix="mixup", mix_alpha=alpha, mix_on=mix_on))
