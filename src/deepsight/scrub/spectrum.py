"""How much fine detail of images survives a change of their size and back."""

import numpy as np
import torch
from numpy.typing import NDArray

from deepsight.core.array_types import Floats
from deepsight.images.resize import Method, resize


def detail_kept(pixels: NDArray[np.uint8], resolution: int, *, method: Method, antialias: bool) -> float:
    """Share of fine detail that survives resizing to `resolution` and back, in [0, 1].

    For each radial frequency r from half the Nyquist limit up to it, 1 - E(r) / P(r), at least 0, where
    P is the power spectrum of the grey images and E that of what the round trip changed; the mean over
    r. Detail that came back as aliasing is not counted as kept, which a ratio of powers would do.
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
