"""A model that somebody else made: examined from its answers alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.interpret.examine import examine as examine_subject
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.model import pretrained
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.predict import BLOCK, blocks_of

Preprocess = Callable[[NDArray[np.uint8]], Tensor]
SIDE = 64  # of the images from which the default backbone makes features where none are given


def unit_range(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (b, h, w, 3) to float32 (b, 3, h, w) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255


def examine(
    model: nn.Module | Predictions, data: Dataset, *, preprocess: Preprocess = unit_range, seed: int = 0
) -> Findings:
    """What a model gets wrong on a data set, and why.

    Args:
        model: any module from images to logits (b, k), or predictions that are there already.
        data: the images and their given labels.
        preprocess: uint8 (b, h, w, 3) to what the module receives.
        seed: random seed.

    Returns:
        The evidence tables, and pictures by their path in a run folder.

    Example:
        >>> from deepsight import Predictions, examine, load_dataset
        >>> import numpy as np
        >>> data = load_dataset("folder:photos").train
        >>> rng = np.random.default_rng(0)
        >>> logits = rng.normal(size=(len(data), data.k)).astype(np.float32)
        >>> features = rng.normal(size=(len(data), 8)).astype(np.float32)
        >>> findings = examine(Predictions(data.ids, data.labels, logits, features), data)
        >>> findings.evidence["recall"].n
        160
    """
    predictions = model if isinstance(model, Predictions) else predict(model, data, preprocess)
    if not predictions.features.size:
        predictions = with_features(predictions, data, FrozenBackbone(pretrained.load_pretrained()))
    return examine_subject(ExaminationInputs(test=data, predictions=predictions, seed=seed))


def predict(model: nn.Module, data: Dataset, preprocess: Preprocess, *, batch: int = 256) -> Predictions:
    """The logits of a module on every image; it is left in the mode in which it came."""
    training = model.training
    model.eval()
    blocks = blocks_of(len(data), batch)
    with torch.inference_mode():
        logits = [model(preprocess(data.pixels(rows))).float().numpy() for rows in blocks]
    model.train(training)
    return Predictions(data.ids, data.labels, np.concatenate(logits), np.zeros((len(data), 0), np.float32))


def with_features(predictions: Predictions, data: Dataset, frozen: FrozenBackbone) -> Predictions:
    """The same predictions with features of the frozen backbone."""
    blocks = blocks_of(len(data), BLOCK)
    features = [frozen.features(data.pixels(rows), Recipe(resolution=SIDE)) for rows in blocks]
    return replace(predictions, features=np.concatenate(features))
