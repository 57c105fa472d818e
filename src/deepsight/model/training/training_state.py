"""State shared by the phases of a training: the network in two parts, the cached views, the validation."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.core.statistics.intervals import macro_f1
from deepsight.model.backbone import Classifier
from deepsight.model.cached_views import CachedViews, as_input, dataset_maps
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.layers.fuse_batchnorm import reestimate
from deepsight.model.layers.pooling import pooled_maps
from deepsight.model.preprocess import Preprocessing
from deepsight.model.training.training_views import TrainingViews, mixed_views

TRAINABLE_PASS = 64  # images in a pass of the trainable stages without gradients; their maps are small


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
    """Everything that is trained: maps of the frozen stages (b, c, h, w) to logits (b, k)."""

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
    """State of one training.

    Attributes:
        classifier: the whole network.
        trainable: its trainable stages and head.
        views: maps of the training images; the head is always fitted to these.
        labels: int64 (n,), of the training images.
        val_maps: float16 (m, h, w, c), of the validation images after the frozen stages.
        val_labels: int64 (m,).
        recipe: the training.
        fabric: precision, device and processes.
        mixed: cached maps of mixed images, where the recipe mixes pixels.
        val_features: float32 (m, d), pooled features at the latest validation.
    """

    classifier: Classifier
    trainable: TrainablePart
    views: TrainingViews
    labels: NDArray[np.int64]
    val_maps: NDArray[np.float16]
    val_labels: NDArray[np.int64]
    recipe: Recipe
    fabric: Fabric
    mixed: CachedViews | None = None
    val_features: NDArray[np.float32] | None = None

    @property
    def drawn(self) -> TrainingViews:
        """The views that fine-tuning draws from."""
        return self.mixed or self.views


def prepare_training(
    classifier: Classifier, splits: Splits, preprocessing: Preprocessing, recipe: Recipe, *,
    cache: FeatureCache, fabric: Fabric,
) -> Training:  # fmt: skip
    """Set up the batch norm as the recipe says, fuse the frozen stages, and open the cached views.

    Args:
        classifier: with ImageNet weights, not fused yet; it is changed in place.
        splits: train and validation are used; test is not touched.
        preprocessing: the input that the recipe declares.
        recipe: the training.
        cache: where maps of the frozen stages are kept.
        fabric: precision, device and processes.

    Raises:
        UsageError: the recipe asks for a batch norm, or for CutMix on maps, that this backbone does not have.
        DeepSightError: a batch is invalid, or a map does not fit into float16.
    """
    set_up_batch_norm(classifier, splits.train, preprocessing, recipe, fabric.device)
    classifier.frozen_stages.requires_grad_(False)
    seed = recipe.seed if recipe.view_seed is None else recipe.view_seed
    views = CachedViews(
        classifier.frozen_stages, splits.train, preprocessing, cache,
        seed=seed, precision=recipe.view_precision,
    )  # fmt: skip
    val_maps = dataset_maps(classifier.frozen_stages, splits.validation, preprocessing, "validation")
    if recipe.mix == "cutmix" and not recipe.mixes_images and val_maps.ndim != 4:
        raise UsageError(
            "Expected mix_on 'images' for CutMix with this backbone, received 'maps': its blocks pass "
            "tokens, which have no rectangle to exchange."
        )
    return Training(
        classifier, TrainablePart(classifier.trainable_stages, classifier.head), views, splits.train.labels,
        val_maps, splits.validation.labels, recipe, fabric, mixed_views(views, recipe),
    )  # fmt: skip


def set_up_batch_norm(
    classifier: Classifier, train: Dataset, preprocessing: Preprocessing, recipe: Recipe, device: torch.device
) -> None:
    """Estimate the statistics of the batch norm anew if the recipe says so, and fuse what does not train.

    Raises:
        UsageError: the recipe asks for a batch norm that this backbone does not have.
    """
    if recipe.batch_norm != "frozen" and not classifier.known_family:
        raise UsageError(
            f"Expected batch_norm 'frozen' for this backbone, received '{recipe.batch_norm}': other settings "
            "exist only for ResNet, EfficientNet, VGG and ConvNeXt."
        )
    if recipe.batch_norm == "reestimated":
        norms = [m for m in classifier.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        sample = np.random.default_rng(recipe.seed).permutation(len(train))[:2048]
        images = (train.pixels(sample[i : i + 256]) for i in range(0, len(sample), 256))
        named = ((block, f"images for the batch norm, block {i}") for i, block in enumerate(images))
        batches = (preprocessing.batch(block, name).to(device) for block, name in named)
        reestimate(classifier.forward_features, norms, batches)
    if recipe.batch_norm == "training":
        classifier.fuse_frozen()
    else:
        classifier.fuse_all()


def open_view(training: Training, views: TrainingViews, number: int) -> None:
    """Fill a view in the first process of each machine while its others wait, since they share the cache."""
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
    """Cross-entropy in nats and macro-F1 on the validation images; keeps their features in the training."""
    training.val_features = val_features(training)
    logits = head_logits(training.classifier.head, training.val_features)
    loss = F.cross_entropy(logits, torch.from_numpy(training.val_labels))
    predicted = logits.argmax(1).numpy()
    return float(loss), macro_f1(training.val_labels, predicted, logits.shape[1])


def val_logits(training: Training) -> Tensor:
    """The logits of the validation images (n, k), on the CPU."""
    return head_logits(training.classifier.head, val_features(training))


def val_features(training: Training) -> NDArray[np.float32]:
    """The pooled features of the validation images (n, d), from their maps in float16."""
    parts = [
        pooled(training.trainable, as_input(training.val_maps[i : i + 256]))
        for i in range(0, len(training.val_labels), 256)
    ]
    return np.concatenate(parts)


def head_logits(head: nn.Linear, features: NDArray[np.float32]) -> Tensor:
    """Logits (n, k) of pooled features (n, d) by a head, on the CPU."""
    return torch.from_numpy(features) @ head.weight.detach().cpu().T + head.bias.detach().cpu()


def history_frame(epochs: list[Epoch]) -> pl.DataFrame:
    """The rows of history.parquet."""
    return pl.DataFrame([vars(epoch) for epoch in epochs])
