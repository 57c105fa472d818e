"""Model randomisation: maps that survive random weights explain nothing (Adebayo et al. 2018)."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.attribution.cam import layer_maps
from deepsight.interpret.attribution.energy_pointing import flatten_maps, standardise_maps

CHUNK = 16  # images at a time: gradients keep every map between the layer and the logits


def randomise_cascading(
    model: nn.Module, layers: Sequence[str], *, seed: int
) -> Iterator[tuple[str, nn.Module]]:
    """Copies of the model, randomised from the head down: first one layer, then two, and so on.

    Weights are shuffled within each tensor, which keeps their distribution and destroys what was learnt.
    Batch norm keeps its running statistics.

    Args:
        model: not changed.
        layers: names of submodules, from the head down.
        seed: random seed of the shuffles.

    Yields:
        The name of the layer randomised last, and the copy.
    """
    generator = torch.Generator().manual_seed(seed)
    random = copy.deepcopy(model)
    for name in layers:
        for parameter in random.get_submodule(name).parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.data = parameter.data.flatten()[order].view_as(parameter)
        yield name, random


def randomised_copy(rest: nn.Sequential, depth: str, *, seed: int) -> nn.Sequential:
    """A copy of the network's end, randomised from its last part back to `depth`, both included."""
    names = [name for name, _ in rest.named_children()]
    shuffled = names[names.index(depth) :][::-1]
    *_, (_, copied) = randomise_cascading(rest, shuffled, seed=seed)
    assert isinstance(copied, nn.Sequential)
    return copied


def maps_at_part(rest: nn.Sequential, below: int, maps: Tensor, classes: Ints) -> NDArray[np.float32]:
    """HiResCAM maps (n, c, h, w) after the first `below` parts of the network's end.

    Args:
        rest: maps to logits, part by part.
        below: parts before the layer at which the maps are made.
        maps: (n, d, h', w'), what `rest` receives.
        classes: int64 (n, c), to explain in each image.
    """
    chunks = [slice(start, start + CHUNK) for start in range(0, len(maps), CHUNK)]
    return np.concatenate([maps_of_chunk(rest, below, maps[c], classes[c]) for c in chunks])


def maps_of_chunk(rest: nn.Sequential, below: int, maps: Tensor, classes: Ints) -> NDArray[np.float32]:
    """See `maps_at_part`."""
    with torch.no_grad():
        activations = rest[:below](maps)
    columns = [layer_maps(rest[below:], activations, torch.from_numpy(c)) for c in classes.T.copy()]
    return np.stack([column.detach().cpu().numpy() for column in columns], axis=1)


def rank_correlation(maps: NDArray[np.floating], others: NDArray[np.floating]) -> Floats:
    """Spearman's correlation of signed maps (n, h, w), image by image, (n,); 0 where a map is constant."""
    a, b = (standardise_maps(rankdata(flatten_maps(m), axis=1)[:, None]) for m in (maps, others))
    return np.asarray(np.nan_to_num((a * b).mean(axis=1)), dtype=np.float64)


def mean_correlations(maps: NDArray[np.floating], randomised: NDArray[np.floating]) -> Floats:
    """The mean over the images of the correlation with each seed's maps, (s,).

    One image says nothing: the standard deviation under the null is 0.58 at 2 × 2 cells and 0.26 at 4 × 4.
    So we take the mean over images, and its spread over seeds.

    Args:
        maps: (n, h, w), of the model.
        randomised: (s, n, h, w), of s randomised models.
    """
    return np.array([rank_correlation(maps, other).mean() for other in randomised])
