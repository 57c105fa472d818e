"""What the phases of a training share: the network in two parts, the cached views, and its validation."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.dataset import Splits
from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.core.statistics.intervals import macro_f1
from deepsight.model.backbone import Classifier
from deepsight.model.cached_views import CachedViews, as_input, dataset_maps
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.layers.fuse_batchnorm import reestimate
from deepsight.model.layers.pooling import pooled_maps
from deepsight.model.preprocess import Preprocessing
from deepsight.model.sampling import Mixing

TRAINABLE_PASS = 64  # pass the trainable stages at once when no gradients are needed; its maps are small


@dataclass(frozen=True)
class Epoch:
    """One row of history.parquet: rates are those at the end, losses are cross-entropy in nats."""

    phase: str
    epoch: float
    seconds: float
    lr_base: float
    lr_head: float
    train_loss: float
    val_loss: float
    val_macro_f1: float


class TrainablePart(nn.Module):
    """Trunk maps (b, c, h, w) to logits (b, k): all that is trained."""

    def __init__(self, stages: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.stages = stages
        self.head = head

    def features(self, maps: Tensor) -> Tensor:
        """Pooled features (b, d)."""
        return torch.as_tensor(pooled_maps(self.stages(maps)))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.features(maps)))


@dataclass
class Training:
    """What the phases of one training share.

    `mixed` holds the views whose pixels were mixed, where the recipe asks for them; the head is always
    fitted to `views`. `val_features` are the pooled features (n, d) of the latest validation.
    """

    classifier: Classifier
    trainable: TrainablePart
    views: CachedViews
    labels: NDArray[np.int64]
    val_maps: NDArray[np.float16]
    val_labels: NDArray[np.int64]
    recipe: Recipe
    fabric: Fabric
    mixed: CachedViews | None = None
    val_features: NDArray[np.float32] | None = None

    @property
    def drawn(self) -> CachedViews:
        """The views that fine-tuning draws from."""
        return self.mixed or self.views


def prepare(
    classifier: Classifier, splits: Splits, preprocessing: Preprocessing, recipe: Recipe, *,
    cache: FeatureCache, fabric: Fabric,
) -> Training:  # fmt: skip
    """Settle the batch norm, fold what is frozen, and open the cached views.

    Args:
        classifier: with ImageNet weights, not folded yet; it is changed in place.
        splits: train and validation are used; test is not touched.
        preprocessing: the input that the recipe declares.
        recipe: the training.
        cache: where maps of the frozen stages are kept.
        fabric: precision, device and processes.
    """
    if recipe.batch_norm != "frozen" and not classifier.known_family:
        raise UsageError(
            f"Expected batch_norm 'frozen' for this backbone, received '{recipe.batch_norm}': other settings "
            "exist only for ResNet, EfficientNet, VGG and ConvNeXt."
        )
    if recipe.batch_norm == "reestimated":
        norms = [m for m in classifier.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        sample = np.random.default_rng(recipe.seed).permutation(len(splits.train))[:2048]
        images = (splits.train.pixels(sample[i : i + 256]) for i in range(0, len(sample), 256))
        named = ((block, f"images for the batch norm, block {i}") for i, block in enumerate(images))
        batches = (preprocessing.batch(block, name).to(fabric.device) for block, name in named)
        reestimate(classifier.forward_features, norms, batches)
    if recipe.batch_norm == "training":
        classifier.fuse_frozen()
    else:
        classifier.fuse_all()
    classifier.frozen_stages.requires_grad_(False)
    seed = recipe.seed if recipe.view_seed is None else recipe.view_seed
    views = CachedViews(
        classifier.frozen_stages, splits.train, preprocessing, cache,
        seed=seed, precision=recipe.precision,
    )  # fmt: skip
    mixed_views = views.mixed(Mixing.of(recipe)) if recipe.mixes_images else None
    validation = splits.validation
    val_maps = dataset_maps(classifier.frozen_stages, validation, preprocessing, "validation")
    trainable = TrainablePart(classifier.trainable_stages, classifier.head)
    return Training(
        classifier,
        trainable,
        views,
        splits.train.labels,
        val_maps,
        validation.labels,
        recipe,
        fabric,
        mixed_views,
    )


def open_view(training: Training, views: CachedViews, number: int) -> None:
    """Fill a view in a machine's first process while its others wait: the cache is shared, not doubled."""
    with training.fabric.rank_zero_first(local=True):
        views.view(number)


def pooled(trainable: TrainablePart, maps: Tensor) -> NDArray[np.float32]:
    """Pooled features (b, d) of maps of the frozen stages (b, c, h, w), without gradients."""
    trainable.eval()
    device = trainable.head.weight.device
    with torch.inference_mode():
        parts = [trainable.features(part.to(device)) for part in torch.split(maps, TRAINABLE_PASS)]
        return np.asarray(torch.cat(parts).float().cpu().numpy())


def validate(training: Training) -> tuple[float, float]:
    """Cross-entropy and macro-F1 on the validation images; their features are kept in the training."""
    training.val_features = val_features(training)
    logits = logits_of(training, training.val_features)
    loss = F.cross_entropy(logits, torch.from_numpy(training.val_labels))
    predicted = logits.argmax(1).numpy()
    return float(loss), macro_f1(training.val_labels, predicted, logits.shape[1])


def val_logits(training: Training) -> Tensor:
    """The logits of the validation images (n, k), on the processor's memory."""
    return logits_of(training, val_features(training))


def val_features(training: Training) -> NDArray[np.float32]:
    """The pooled features of the validation images (n, d), from their maps in float16."""
    parts = [
        pooled(training.trainable, as_input(training.val_maps[i : i + 256]))
        for i in range(0, len(training.val_labels), 256)
    ]
    return np.concatenate(parts)


def logits_of(training: Training, features: NDArray[np.float32]) -> Tensor:
    """What the head says of pooled features (n, d): logits (n, k), on the processor's memory."""
    head = training.classifier.head
    return torch.from_numpy(features) @ head.weight.detach().cpu().T + head.bias.detach().cpu()


def history_frame(epochs: list[Epoch]) -> pl.DataFrame:
    """The rows of history.parquet."""
    return pl.DataFrame([vars(epoch) for epoch in epochs])
