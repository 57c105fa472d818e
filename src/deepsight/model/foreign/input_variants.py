"""Preprocessings that differ from a given one in a single respect: common mistakes."""

from dataclasses import replace
from typing import Any

from deepsight.images.resize import Method
from deepsight.model.foreign.input_format import Channels, Fit, InputFormat
from deepsight.model.preprocess import IMAGENET_MEAN, IMAGENET_STD

CROP_SHARE = 0.875  # of the shorter side, as most recipes crop
FITS: dict[Fit, str] = {
    "stretch": "the whole picture squeezed",
    "crop": "a centre crop",
    "pad": "black borders",
}


def variants(base: InputFormat, *, stored: tuple[int, int]) -> dict[str, InputFormat]:
    """Formats that differ from `base` in a single respect, each named by what it does instead.

    Args:
        base: the documented or assumed format.
        stored: height and width of the stored images. Antialiasing matters only if they are reduced, and the
            fit only if their aspect ratio differs from that of the input.
    """
    found = {**normalisations(base), **channel_variants(base), **crop_variants(base, stored)}
    other: Method = "bilinear" if base.interpolation == "bicubic" else "bicubic"
    found[other] = replace(base, interpolation=other)
    if min(stored) > min(base.height, base.width):
        word = "without antialiasing" if base.antialias else "with antialiasing"
        found[word] = replace(base, antialias=not base.antialias)
    return {name: each for name, each in found.items() if each != base}


def channel_variants(base: InputFormat) -> dict[str, InputFormat]:
    """Red and blue exchanged; and pixels as OpenCV reads them, which combines two mistakes.

    Mean and deviation keep their positions, as they do in the mistake.
    """
    if base.channels == "grey":
        return {}
    if base.channels == "bgr":
        return {"RGB": replace(base, channels="rgb")}
    raw = normalisations(base)["pixels 0 to 255"]
    return {"BGR": replace(base, channels="bgr"), "BGR from 0 to 255": replace(raw, channels="bgr")}


def crop_variants(base: InputFormat, stored: tuple[int, int]) -> dict[str, InputFormat]:
    """More or less of the image, and the other ways to fit an image of another aspect ratio."""
    name = "the whole picture" if base.crop_share < 1 else f"a centre crop of {CROP_SHARE}"
    share = 1.0 if base.crop_share < 1 else CROP_SHARE
    found = {name: replace(base, fit="crop", crop_share=share)}
    if stored[0] * base.width != stored[1] * base.height:
        found |= {FITS[fit]: replace(base, fit=fit, crop_share=1.0) for fit in FITS if fit != base.fit}
    return found


def normalisations(base: InputFormat) -> dict[str, InputFormat]:
    """The five usual scalings of pixels, otherwise as in `base`."""
    one = 1 if base.channels == "grey" else 3
    plain: dict[str, Any] = {"mean": (0.0,) * one, "std": (1.0,) * one}
    return {
        "pixels 0 to 1": replace(base, scale="0..1", **plain),
        "pixels 0 to 255": replace(base, scale="0..255", **plain),
        "pixels -1 to 1": replace(base, scale="-1..1", **plain),
        "ImageNet mean and deviation": replace(base, scale="0..1", **imagenet(base.channels)),
        "pixels 0 to 255 less ImageNet's mean": replace(
            base,
            scale="0..255",
            mean=tuple(255 * m for m in imagenet(base.channels)["mean"]),
            std=plain["std"],
        ),
    }


def imagenet(channels: Channels) -> dict[str, Any]:
    """ImageNet's mean and deviation in this order of channels."""
    if channels == "grey":
        return {"mean": (sum(IMAGENET_MEAN) / 3,), "std": (sum(IMAGENET_STD) / 3,)}
    step = -1 if channels == "bgr" else 1
    return {"mean": IMAGENET_MEAN[::step], "std": IMAGENET_STD[::step]}
