"""Decides whether two images show the same picture: aligns them and compares fine detail.

Coarse: the peak of the cross-correlation, by the Fourier transform, at three scales. Fine: Gauss-Newton
on shift and scale of both directions with free gain and offset (Lucas & Kanade 1981, with the gain of
Evangelidis & Psarakis 2008). The score compares the detail after alignment, in which look-alikes differ,
since they share only large shapes.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, grid_sample, pad, unfold

from deepsight.scrub.duplicates.descriptor import detail

# A placement (sx, sy, tx, ty) maps a pixel (x, y) of image a to (sx x + tx, sy y + ty) in image b, with
# coordinates from -1 to 1 over the image.

SIDE = 32  # pixels per side at which pairs are compared
COARSE = 16  # pixels of the coarse search
REACH = 3  # coarse pixels: shifts up to a fifth of the image
ZOOM = 0.8  # scales 0.8, 1 and 1.25 are tried; Gauss-Newton finds those between
STEPS = ((16, 6), (32, 2))  # points per side that Gauss-Newton uses, and its steps with them
SCALE_LIMITS, SHIFT_LIMIT = (0.7, 1.43), 0.45
PATCH = 8  # pixels
PLAIN = 3.0  # grey levels of standard deviation below which a patch contains only noise
NOISE = 1.0  # grey levels of noise from rounding and compression, in which images need not agree


def coarse_inputs(images: Tensor) -> Tensor:
    """Input of the coarse search: grey images (n, 1, 16, 16) and their enlarged centres, (n, 2, 16, 16)."""
    middle = torch.tensor([[ZOOM, ZOOM, 0.0, 0.0]]).expand(len(images), 4)
    views = (images, place(images, middle, size=(COARSE, COARSE))[0])
    return torch.stack([whiten(view) for view in views], dim=1)


def coarse_placements(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Height of the correlation peak at three scales, and the placement of each.

    Image on image, image on centre and centre on image: only the image that shows more is enlarged, so that
    no border has to be invented.

    Args:
        a: from `coarse_inputs`, of the first images of p pairs, (p, 2, 16, 16).
        b: the same of the second images.

    Returns:
        (p, 3) in [-1, 1] and (p, 3, 4).
    """
    spectra = [torch.fft.rfft2(views) for views in (a, b)]
    tries = ((0, 0, 1.0), (0, 1, ZOOM), (1, 0, 1 / ZOOM))
    found = [correlation_peak(spectra[0][:, i].conj() * spectra[1][:, j], scale) for i, j, scale in tries]
    heights, placements = zip(*found, strict=True)
    return torch.stack(heights, dim=1), torch.stack(placements, dim=1)


def correlation_peak(product: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Highest correlation over shifts (p,) from the product of two spectra, and its placement (p, 4)."""
    width = 2 * REACH + 1
    surface = torch.fft.irfft2(product, s=(COARSE, COARSE))
    height, place = surface.roll((REACH, REACH), (1, 2))[:, :width, :width].flatten(1).max(dim=1)
    shift = torch.stack([place % width, place // width], dim=1) - REACH
    return height, torch.cat(
        [torch.full((len(product), 2), scale), shift * (2 / COARSE) * min(scale, 1.0)], dim=1
    )


def whiten(images: Tensor) -> Tensor:
    """Detail (p, h, w) under a window that fades towards the border, with mean 0 and unit length."""
    side = images.shape[-1]
    window = torch.hann_window(side + 2)[1:-1].sqrt()
    faded = detail(images, 2)[:, 0] * window * window[:, None]
    centred = faded - faded.mean(dim=(1, 2), keepdim=True)
    length: Tensor = torch.linalg.vector_norm(centred, dim=(1, 2), keepdim=True)
    return centred / length.clamp_min(1.0)


def place(
    images: Tensor, placement: Tensor, *, size: tuple[int, int] = (SIDE, SIDE)
) -> tuple[Tensor, Tensor]:
    """Images b (p, c, h, w) at points of a of this height and width, and 1 where b has pixels there."""
    down, across = (
        placement[:, axis, None] * pixel_centres(size[1 - axis]) + placement[:, axis + 2, None]
        for axis in (1, 0)
    )
    shape = len(images), *size
    grid = torch.stack([across[:, None].expand(shape), down[:, :, None].expand(shape)], dim=-1)
    inside = ((across.abs() <= 1)[:, None] & (down.abs() <= 1)[:, :, None]).float()
    sampled: Tensor = grid_sample(images, grid, padding_mode="border", align_corners=False)
    return sampled, inside


def pixel_centres(n: int) -> Tensor:
    """The places (n,) of the centres of n pixels, between -1 and 1."""
    return torch.linspace(-1 + 1 / n, 1 - 1 / n, n)


def refined_placement(a: Tensor, b: Tensor, placement: Tensor) -> Tensor:
    """The placement (p, 4) after Gauss-Newton on grey images a and b (p, 1, 32, 32)."""
    first, second = smoothed(a), smoothed(b)
    wide = pad(second, (1,) * 4, mode="replicate")
    slopes = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2], wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1])
    stack = torch.cat([second, *(slope * (SIDE / 4) for slope in slopes)], dim=1)
    for points, steps in STEPS:
        target = avg_pool2d(first, SIDE // points)
        for _ in range(steps):
            placement = gauss_newton_step(target, stack, placement)
    return placement


def gauss_newton_step(target: Tensor, stack: Tensor, placement: Tensor) -> Tensor:
    """One step: least squares of a on b, a constant and the derivatives of b by the placement."""
    points = target.shape[-1]
    sampled, inside = place(stack, placement, size=(points, points))
    image, across, down = sampled.unbind(dim=1)
    x = pixel_centres(points)
    terms = [image, torch.ones_like(image), across * x, down * x[:, None], across, down]
    design = torch.stack(terms, dim=1).flatten(2)
    weighted = design * inside.flatten(1)[:, None]
    normal = weighted @ design.transpose(1, 2)
    damping = torch.diag_embed(1e-3 * normal.diagonal(dim1=1, dim2=2) + 1e-3)
    solved = torch.linalg.solve(normal + damping, weighted @ target.flatten(1)[:, :, None])[..., 0]
    moved = placement + (solved[:, 2:] / solved[:, :1].clamp_min(0.2)).clamp(-0.1, 0.1)
    return torch.cat(
        [moved[:, :2].clamp(*SCALE_LIMITS), moved[:, 2:].clamp(-SHIFT_LIMIT, SHIFT_LIMIT)], dim=1
    )


def smoothed(images: Tensor) -> Tensor:
    """Grey images (p, 1, h, w) under a binomial filter of 3×3 pixels."""
    row = torch.tensor([0.25, 0.5, 0.25])
    return conv2d(pad(images, (1,) * 4, mode="replicate"), (row[:, None] * row)[None, None])


def image_agreement(a: Tensor, b: Tensor, placement: Tensor) -> Tensor:
    """How well images (p, 3, h, w) agree where they overlap, (p,) in [0, 1].

    The score is the product of two agreements. That of detail is the mean, at least 0, of the correlation of
    all colour detail finer than 3 pixels and of the lower quartile over 8×8 patches of the correlation of
    grey detail finer than 7 pixels: the first requires the same detail, the second requires it nearly
    everywhere. Patches that are uniform in both images do not count. The agreement of the whole images is
    their correlation, averaged over the channels.
    """
    laid, inside = place(b, placement)
    whole = correlation(a.flatten(2), laid.flatten(2), inside.flatten(1)[:, None]).mean(dim=1).clamp_min(0)
    overall = cautious_correlation(
        detail(a, 1).flatten(2), detail(laid, 1).flatten(2), inside.flatten(1)[:, None]
    )
    greys = (detail(images.mean(dim=1, keepdim=True), 3) for images in (a, laid))
    x, y, weight = (patches(images) for images in (*greys, inside[:, None]))
    spread = torch.maximum((x * weight).square().mean(dim=2), (y * weight).square().mean(dim=2)).sqrt()
    tells = (spread > PLAIN) & (weight.mean(dim=2) > 0.5)
    local = torch.where(tells, correlation(x, y, weight), torch.nan).nanquantile(0.25, dim=1)
    return ((overall + torch.where(local.isnan(), overall, local)) / 2).clamp(0, 1) * whole


def cautious_correlation(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Mean over channels (p, c, m) of the correlation, less one standard error on Fisher's scale.

    The error is that of the effective number of samples, (Σe)² / Σe² with e = |x y|: an aeroplane of ten
    pixels in a uniform sky may correlate with another one by chance.
    """
    energy = (x * y * weight).abs().sum(dim=1)
    samples = energy.sum(dim=1).square() / energy.square().sum(dim=1).clamp_min(1e-6)
    mean = correlation(x, y, weight).mean(dim=1).clamp(-0.999, 0.999)
    return (mean.atanh() - (samples - 3).clamp_min(1).rsqrt()).tanh()


def patches(images: Tensor) -> Tensor:
    """Images (p, 1, h, w) in patches (p, patches, PATCH²)."""
    return unfold(images, PATCH, stride=PATCH).transpose(1, 2)


def correlation(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Weighted correlation over the last axis, shrunk towards 0 where there is mostly noise."""
    total = weight.sum(dim=-1).clamp_min(1)
    x, y = ((v - ((v * weight).sum(dim=-1) / total)[..., None]) * weight for v in (x, y))
    energy = [v.square().sum(dim=-1) + total * NOISE**2 / 2 for v in (x, y)]
    return (x * y).sum(dim=-1) / (energy[0] * energy[1]).sqrt()


def register_pairs(a: Tensor, b: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Score (p,) and placement (p, 4) of images (p, 3, 32, 32), from the best of the starts (p, s, 4)."""
    grey_a, grey_b = (images.mean(dim=1, keepdim=True) for images in (a, b))
    placements = torch.stack(
        [refined_placement(grey_a, grey_b, start) for start in starts.unbind(dim=1)], dim=1
    )
    fits = []
    for placement in placements.unbind(dim=1):
        laid, inside = place(grey_b, placement)
        fits.append(correlation(grey_a.flatten(1), laid.flatten(1), inside.flatten(1)))
    best = placements[torch.arange(len(a)), torch.stack(fits, dim=1).argmax(dim=1)]
    return image_agreement(a, b, best), best
