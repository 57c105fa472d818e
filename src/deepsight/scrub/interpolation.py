"""Chooses the interpolation for resizing: bicubic, unless another one is significantly better."""

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
from deepsight.core.statistics.macro_f1 import macro_f1_interval
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from deepsight.images.resize import Method, resize, resize_weights

Setting = tuple[Method, bool]  # the kernel, and whether it is widened when reducing

METHODS: tuple[Method, ...] = ("bicubic", "nearest", "bilinear", "lanczos")
SETTINGS: tuple[Setting, ...] = tuple(product(METHODS, (True, False)))
DEFAULT = SETTINGS[0]

SAMPLE = 2000  # images; four passes at 64 pixels take some seconds
SPECTRUM_SAMPLE = 500  # images; more change only the third digit of the detail kept
RIDGE = 0.1  # of the mean squared length of the centred feature vectors

UNITS = {
    "method": "interpolation kernel",
    "antialias": "kernel widened when reducing, true or false",
    "same_as": "setting whose images are identical at this resolution; it was computed once for both",
    "macro_f1": "macro-F1 of the probe, 0 to 1",
    "ci_low": "95 % interval over images, low end",
    "ci_high": "95 % interval over images, high end",
    "delta": "macro-F1 less that of bicubic with antialiasing",
    "delta_ci_low": "paired interval over images, 95 % for all settings together, low end",
    "delta_ci_high": "paired interval over images, 95 % for all settings together, high end",
    "detail_kept": "share of power from half the Nyquist frequency up that a round trip keeps",
    "chosen": "true or false",
}


class FeatureExtractor(Protocol):
    """Frozen features (n, d) of uint8 images (n, h, w, 3), including their resizing and normalisation."""

    def __call__(
        self, images: Pixels, method: Method, antialias: bool, resolution: int, /
    ) -> NDArray[np.floating]: ...


def compare_interpolations(
    images: Images,
    labels: Ints,
    *,
    resolution: int,
    features: FeatureExtractor,
    k: int,
    seed: int,
    sample: int = SAMPLE,
) -> Table:
    """Evidence table `interpolation`: four methods, each with and without antialiasing, against bicubic.

    Each setting is scored by a closed-form ridge probe on frozen features, in which every image is held
    out once; the detail left after a round trip to `resolution` and back is reported too. Bicubic with
    antialiasing is chosen unless another setting is better and the paired interval of the difference
    excludes zero. That interval is at 95 % for all compared settings together (Bonferroni).

    Args:
        images: uint8 (n, h, w, 3), of the training set.
        labels: int64 (n,).
        resolution: side of the model's input, in pixels.
        features: the frozen model. It is called once for each distinct way of resizing: four times when
            enlarging, where antialiasing changes nothing.
        k: the number of classes.
        seed: random seed of the sample.
        sample: the largest number of images, drawn at random if there are more.

    Raises:
        DeepSightError: the features are not one finite vector per image.
    """
    rows = np.random.default_rng(seed).permutation(len(labels))[:sample]
    rows.sort()
    pixels, given = np.asarray(images[rows]), labels[rows]
    same = {setting: first_same(setting, pixels.shape, resolution) for setting in SETTINGS}
    guesses = {
        (method, antialias): leave_one_out_classes(features(pixels, method, antialias, resolution), given, k)
        for method, antialias in dict.fromkeys(same.values())
    }
    level = 1 - 0.05 / max(len(guesses) - 1, 1)
    found = []
    for setting in SETTINGS:
        row = score_row(given, guesses[same[setting]], guesses[DEFAULT], k, level=level)
        kept = detail_kept(pixels[:SPECTRUM_SAMPLE], resolution, method=setting[0], antialias=setting[1])
        found.append(setting_row(setting, same[setting]) | row | {"detail_kept": kept})
    return interpolation_table(
        found, resolution=resolution, level=level, n=len(given), native=pixels.shape[1]
    )


def first_same(setting: Setting, shape: tuple[int, ...], resolution: int) -> Setting:
    """The first of `SETTINGS` whose resizing matrices equal those of this one bit for bit."""

    def matrices(of: Setting) -> list[Floats]:
        return [resize_weights(side, resolution, *of) for side in shape[1:3]]

    mine = matrices(setting)
    return next(of for of in SETTINGS if all(map(np.array_equal, matrices(of), mine)))


def leave_one_out_classes(features: NDArray[np.floating], labels: Ints, k: int) -> Ints:
    """The class of each image as predicted by a ridge classifier fitted to all others, int64 (n,).

    With G = (K + λI)⁻¹ and K the Gram matrix, the fit without image i predicts y_i - (G y)_i / G_ii for it
    (Allen's PRESS, 1974, in its dual form), so that all n fits take a single inverse. The intercept is a
    constant feature, large enough that the penalty hardly shrinks it.

    Raises:
        DeepSightError: the features are not one finite vector per image.
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


def score_row(labels: Ints, guess: Ints, default: Ints, k: int, *, level: float) -> dict[str, float]:
    """Macro-F1 with its interval, and the difference to bicubic with the interval at `level`."""
    own = macro_f1_interval(labels, guess, k)
    delta = paired_macro_f1(labels, default, guess, k, level=level)
    return {
        "macro_f1": own.value,
        "ci_low": own.low,
        "ci_high": own.high,
        "delta": delta.value,
        "delta_ci_low": delta.low,
        "delta_ci_high": delta.high,
    }


def setting_row(setting: Setting, same: Setting) -> dict[str, object]:
    """The columns that name the setting, and an earlier one that resizes identically, if any."""
    method, antialias = setting
    note = "" if setting == same else f"{same[0]}, antialias {str(same[1]).lower()}"
    return {"method": method, "antialias": antialias, "same_as": note}


def chosen_row(frame: pl.DataFrame) -> pl.Series:
    """True for one row: the best setting whose interval lies above that of bicubic, or bicubic itself."""
    better = frame["delta_ci_low"] > 0
    gain = pl.select(pl.when(better).then(frame["delta"]).otherwise(0.0)).to_series()
    row = gain.arg_max() if better.any() else 0
    return pl.Series("chosen", np.arange(len(frame)) == row)


def interpolation_table(
    found: list[dict[str, object]], *, resolution: int, level: float, n: int, native: int
) -> Table:
    """The evidence table, with the chosen setting."""
    frame = pl.DataFrame(found)
    frame = frame.with_columns(chosen_row(frame))
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
            "Leave-one-out ridge probe in closed form on frozen features; paired delta method over images, "
            f"the interval of delta at {level:.2%}; radial power spectrum after "
            f"{native} → {resolution} → {native} pixels. Kernels as in Pillow; cubic by Keys (1981)."
        ),
        caption=f"At {resolution} pixels {best['method']} is used: {reason}.",
    )


def detail_kept(pixels: NDArray[np.uint8], resolution: int, *, method: Method, antialias: bool) -> float:
    """Share of fine detail that survives resizing to `resolution` and back, in [0, 1].

    The mean over the radial frequencies r from half the Nyquist frequency up of 1 - E(r) / P(r), at least 0,
    where P is the power spectrum of the grey images and E that of the change by the round trip. Unlike a
    ratio of powers, this does not count aliasing as detail.
    """
    height = pixels.shape[1]
    images = torch.as_tensor(pixels).permute(0, 3, 1, 2).float().mean(dim=1, keepdim=True)
    there = resize(images, resolution, method=method, antialias=antialias)
    back = resize(there, height, method=method, antialias=antialias)
    if pixels.shape[2] != height:
        images = resize(images, height)  # spectra are compared on the square grid that `back` has
    power, error = radial_power(images), radial_power(back - images)
    fine = np.arange(len(power)) >= len(power) / 2
    lost = np.divide(error, power, out=np.zeros_like(power), where=power > 0)
    return float(np.clip(1 - lost[fine], 0, 1).mean())


def radial_power(images: torch.Tensor) -> Floats:
    """Power by whole radial frequency 0 to half the side, summed over images (b, 1, side, side).

    The Hann window hides the jump between opposite borders, which would count as detail.
    """
    side = images.shape[-1]
    window = torch.hann_window(side, dtype=torch.float64)
    centred = (images - images.mean(dim=(2, 3), keepdim=True)) * window * window[:, None]
    power = torch.fft.fft2(centred).abs().square().sum(dim=(0, 1)).numpy()
    cycles = np.fft.fftfreq(side, 1 / side)
    radius = np.rint(np.hypot(cycles[:, None], cycles)).astype(np.int64)
    summed = np.bincount(radius.ravel(), weights=power.ravel())[: side // 2 + 1]
    return np.asarray(summed, dtype=np.float64)
