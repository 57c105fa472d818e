"""Which interpolation brings these images to the model's resolution best? Bicubic, unless shown otherwise."""

from itertools import product
from typing import Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.dataset import Images
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.statistics import bootstrap_macro_f1, paired_difference
from deepsight.images.resize import Method, weights
from deepsight.scrub.spectrum import detail_kept

Setting = tuple[Method, bool]  # the kernel, and whether it is widened when reducing

METHODS: tuple[Method, ...] = ("bicubic", "nearest", "bilinear", "lanczos")
SETTINGS: tuple[Setting, ...] = tuple(product(METHODS, (True, False)))
DEFAULT = SETTINGS[0]

SAMPLE = 2000  # images; four passes at 64 pixels take some seconds
SPECTRUM_SAMPLE = 500  # images; more of them change the third digit of the detail kept
RIDGE = 0.1  # of the mean squared length of the centred feature vectors

UNITS = {
    "method": "interpolation kernel",
    "antialias": "kernel widened when reducing, true or false",
    "same_as": "setting that resizes to this resolution bit for bit alike, and so was computed for both",
    "macro_f1": "macro-F1 of the probe, 0 to 1",
    "ci_low": "95 % bootstrap interval over images, low end",
    "ci_high": "95 % bootstrap interval over images, high end",
    "delta": "macro-F1 less that of bicubic with antialiasing",
    "delta_ci_low": "paired bootstrap interval, 95 % for all settings together, low end",
    "delta_ci_high": "paired bootstrap interval, 95 % for all settings together, high end",
    "detail_kept": "share of power from half the Nyquist frequency up that a round trip keeps",
    "chosen": "true or false",
}


class Features(Protocol):
    """Frozen features (n, d) of uint8 images (n, h, w, 3), which the callee resizes and normalises."""

    def __call__(
        self, images: Pixels, method: Method, antialias: bool, resolution: int, /
    ) -> NDArray[np.floating]: ...


def study(
    images: Images,
    labels: Ints,
    *,
    resolution: int,
    features: Features,
    k: int,
    seed: int,
    sample: int = SAMPLE,
) -> Table:
    """Evidence table `interpolation`: four methods, each with and without antialiasing, against bicubic.

    A setting is judged by a closed-form ridge probe on frozen features, in which every image is held
    out once, and by the detail that is left after a round trip to `resolution` and back. Bicubic with
    antialiasing is chosen unless another setting is better, with the paired interval of the difference
    clear of zero. That interval is at 95 % for all compared settings together (Bonferroni).

    Args:
        images: uint8 (n, h, w, 3), of the training set.
        labels: int64 (n,).
        resolution: side in pixels that the model will see.
        features: the frozen model. It is called once for each way of resizing that differs bit for bit:
            four times when enlarging, where antialiasing changes nothing.
        k: the number of classes.
        seed: of the sample and of the bootstrap.
        sample: images used, drawn at random if there are more.

    Raises:
        DeepSightError: the features are not finite vectors, one an image.
    """
    rows = np.random.default_rng(seed).permutation(len(labels))[:sample]
    rows.sort()
    pixels, given = np.asarray(images[rows]), labels[rows]
    same = {setting: first_same(setting, pixels.shape, resolution) for setting in SETTINGS}
    guesses = {
        (method, antialias): probe(features(pixels, method, antialias, resolution), given, k)
        for method, antialias in dict.fromkeys(same.values())
    }
    level = 1 - 0.05 / max(len(guesses) - 1, 1)
    found = []
    for setting in SETTINGS:
        row = score(given, guesses[same[setting]], guesses[DEFAULT], k, level=level, seed=seed)
        kept = detail_kept(pixels[:SPECTRUM_SAMPLE], resolution, method=setting[0], antialias=setting[1])
        found.append(describe(setting, same[setting]) | row | {"detail_kept": kept})
    return to_table(found, resolution=resolution, level=level, n=len(given), native=pixels.shape[1])


def first_same(setting: Setting, shape: tuple[int, ...], resolution: int) -> Setting:
    """The first of `SETTINGS` whose resizing matrices equal those of this one bit for bit."""

    def matrices(of: Setting) -> list[Floats]:
        return [weights(side, resolution, *of) for side in shape[1:3]]

    mine = matrices(setting)
    return next(of for of in SETTINGS if all(map(np.array_equal, matrices(of), mine)))


def probe(features: NDArray[np.floating], labels: Ints, k: int) -> Ints:
    """The class of each image by a ridge classifier fitted on all the others, int64 (n,).

    With G = (K + λI)⁻¹ and K the Gram matrix, the prediction for image i of the fit without it is
    y_i - (G y)_i / G_ii (Allen's PRESS in the dual form), so leaving out each image costs one inverse.
    The intercept is a constant feature, so long that the penalty hardly shrinks it.
    """
    if features.ndim != 2 or len(features) != len(labels) or not np.isfinite(features).all():
        raise DeepSightError(
            f"Expected finite features ({len(labels)}, d), received {features.dtype} {features.shape}. "
            "Check the frozen model that the interpolation study was given."
        )
    x = torch.as_tensor(features, dtype=torch.float32)
    x = x - x.mean(dim=0)
    gram = (x @ x.T).double()
    length = gram.diagonal().mean().clamp_min(1e-12)
    gram += 10 * length
    gram.diagonal().add_(RIDGE * length)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    targets = torch.eye(k, dtype=torch.float64)[torch.as_tensor(labels)]
    held_out = targets - (inverse @ targets) / inverse.diagonal()[:, None]
    return np.asarray(held_out.argmax(dim=1).numpy(), dtype=np.int64)


def score(labels: Ints, guess: Ints, default: Ints, k: int, *, level: float, seed: int) -> dict[str, float]:
    """Macro-F1 with its interval, and the difference to bicubic with the interval at `level`."""
    own = bootstrap_macro_f1(labels, guess, k, seed=seed)
    delta = paired_difference(labels, default, guess, k, level=level, seed=seed)
    return {
        "macro_f1": own.value,
        "ci_low": own.low,
        "ci_high": own.high,
        "delta": delta.value,
        "delta_ci_low": delta.low,
        "delta_ci_high": delta.high,
    }


def describe(setting: Setting, same: Setting) -> dict[str, object]:
    """The setting, and the one that resizes identically, if it stands before this one."""
    method, antialias = setting
    note = "" if setting == same else f"{same[0]}, antialias {str(same[1]).lower()}"
    return {"method": method, "antialias": antialias, "same_as": note}


def choose(frame: pl.DataFrame) -> pl.Series:
    """True for one row: the best of those above bicubic with their interval clear of zero, or bicubic."""
    better = frame["delta_ci_low"] > 0
    gain = pl.select(pl.when(better).then(frame["delta"]).otherwise(0.0)).to_series()
    row = gain.arg_max() if better.any() else 0
    return pl.Series("chosen", np.arange(len(frame)) == row)


def to_table(found: list[dict[str, object]], *, resolution: int, level: float, n: int, native: int) -> Table:
    """The finding with its units and its sentences."""
    frame = pl.DataFrame(found)
    frame = frame.with_columns(choose(frame))
    best = frame.filter("chosen").row(0, named=True)
    if (best["method"], best["antialias"]) == DEFAULT:
        reason = "no other setting is shown to be better"
    else:
        reason = f"it is better than the default by {100 * best['delta']:.1f} points of macro-F1"
    return Table(
        frame=frame,
        units=UNITS,
        n=n,
        method=(
            "Leave-one-out ridge probe in closed form on frozen features; paired bootstrap over images, "
            f"the interval of delta at {level:.2%}; radial power spectrum after "
            f"{native} → {resolution} → {native} pixels. Kernels as in Pillow; cubic by Keys (1981)."
        ),
        caption=f"At {resolution} pixels {best['method']} is used: {reason}.",
    )
