"""Model randomisation: a map that stays when the weights go does not come from them (Adebayo et al. 2018)."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.attribution.cam import layer_maps
from deepsight.interpret.attribution.energy_pointing import flat, standardised

CHUNK = 16  # images at a time: gradients keep every map between the layer and the logits


def cascade(model: nn.Module, layers: Sequence[str], *, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """Copies of the model with random weights from the head down: first one layer, then two, and so on.

    Weights are shuffled within each tensor, so that their distribution stays and what was learnt goes. Batch
    norm's running statistics stay.

    Args:
        model: left as it is.
        layers: names of submodules, from the head down.
        seed: of the shuffles.

    Yields:
        The name of the last layer that was made random, and the copy.
    """
    generator = torch.Generator().manual_seed(seed)
    random = copy.deepcopy(model)
    for name in layers:
        for parameter in random.get_submodule(name).parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.data = parameter.data.flatten()[order].view_as(parameter)
        yield name, random


def random_copy(rest: nn.Sequential, depth: str, *, seed: int) -> nn.Sequential:
    """A copy of the network's end whose parts are random from the last one up to `depth`, both included."""
    names = [name for name, _ in rest.named_children()]
    shuffled = names[names.index(depth) :][::-1]
    *_, (_, copied) = cascade(rest, shuffled, seed=seed)
    assert isinstance(copied, nn.Sequential)
    return copied


def maps_within(rest: nn.Sequential, below: int, maps: Tensor, classes: Ints) -> NDArray[np.float32]:
    """HiResCAM maps (n, c, h, w) after the first `below` parts of the network's end.

    Args:
        rest: maps to logits, part by part.
        below: parts before the layer at which the maps are made.
        maps: (n, d, h', w'), what `rest` receives.
        classes: int64 (n, c), asked for in each image.
    """
    chunks = [slice(start, start + CHUNK) for start in range(0, len(maps), CHUNK)]
    return np.concatenate([maps_of_chunk(rest, below, maps[c], classes[c]) for c in chunks])


def maps_of_chunk(rest: nn.Sequential, below: int, maps: Tensor, classes: Ints) -> NDArray[np.float32]:
    """See `maps_within`."""
    with torch.no_grad():
        activations = rest[:below](maps)
    columns = [layer_maps(rest[below:], activations, torch.from_numpy(c)) for c in classes.T.copy()]
    return np.stack([column.detach().cpu().numpy() for column in columns], axis=1)


def rank_correlation(maps: NDArray[np.floating], others: NDArray[np.floating]) -> Floats:
    """Spearman's correlation of signed maps (n, h, w), image by image, (n,); 0 where a map is constant."""
    a, b = (standardised(rankdata(flat(m), axis=1)[:, None]) for m in (maps, others))
    return np.asarray(np.nan_to_num((a * b).mean(axis=1)), dtype=np.float64)


def mean_correlations(maps: NDArray[np.floating], randomised: NDArray[np.floating]) -> Floats:
    """The mean over the images of the correlation with each seed's maps, (s,).

    A single image says nothing: the null's standard deviation is 0.58 at 2 × 2 cells and 0.26 at 4 × 4. So
    the mean over images is read, and the seeds are what varies.

    Args:
        maps: (n, h, w), of the model.
        randomised: (s, n, h, w), of s models with random weights.
    """
    return np.array([rank_correlation(maps, other).mean() for other in randomised])
