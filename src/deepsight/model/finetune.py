"""The training: a frozen phase with a closed-form head, then fine-tuning of the deepest stages."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.dataset import Splits
from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe
from deepsight.core.statistics import macro_f1
from deepsight.model.backbone import Classifier
from deepsight.model.fold import reestimate
from deepsight.model.head import LinearHead, fit_head
from deepsight.model.precision import in_precision
from deepsight.model.preprocess import Preprocessing
from deepsight.model.sampling import Mixing, draw_order, mixed
from deepsight.model.trunk import TrunkCache, TrunkViews, Verify, trunk_maps

HEAD_ROWS = 10_000
"""Images that the closed-form head is fitted to; more add seconds and nothing that fine-tuning keeps."""

Notify = Callable[[str], None]


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


@dataclass(frozen=True)
class FrozenFeatures:
    """What the backbone said about some training images before it was fine-tuned on their labels.

    Attributes:
        rows: int64 (m,), positions in the training split.
        features: float32 (m, d), pooled.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.float32]


class Tail(nn.Module):
    """Trunk maps (b, c, h, w) to logits (b, k): all that is trained."""

    def __init__(self, stages: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.stages = stages
        self.head = head

    def features(self, maps: Tensor) -> Tensor:
        """Pooled features (b, d)."""
        return torch.as_tensor(self.stages(maps).mean((2, 3)))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.features(maps)))


@dataclass
class Training:
    """What the phases of one training share.

    `mixed` holds the views whose pixels were mixed, where the recipe asks for them; the head is always
    fitted to `views`.
    """

    classifier: Classifier
    tail: Tail
    views: TrunkViews
    labels: NDArray[np.int64]
    val_maps: NDArray[np.float16]
    val_labels: NDArray[np.int64]
    recipe: Recipe
    fabric: Fabric
    mixed: TrunkViews | None = None

    @property
    def drawn(self) -> TrunkViews:
        """The views that fine-tuning draws from."""
        return self.mixed or self.views


def prepare(
    classifier: Classifier, splits: Splits, preprocessing: Preprocessing, recipe: Recipe, *,
    cache: TrunkCache, verify: Verify, fabric: Fabric,
) -> Training:  # fmt: skip
    """Settle the batch norm, fold what is frozen, and open the cached views.

    Args:
        classifier: with ImageNet weights, not folded yet; it is changed in place.
        splits: train and validation are used; test is not touched.
        preprocessing: the input that the recipe declares.
        recipe: the training.
        cache: where trunk maps are kept.
        verify: called with every batch before it is used.
        fabric: precision, device and processes.
    """
    if recipe.batch_norm == "reestimated":
        norms = [m for m in classifier.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        sample = np.random.default_rng(recipe.seed).permutation(len(splits.train))[:2048]
        images = (splits.train.pixels(sample[i : i + 256]) for i in range(0, len(sample), 256))
        batches = verified(images, preprocessing, verify, "images for the batch norm")
        reestimate(classifier.forward_features, norms, (batch.to(fabric.device) for batch in batches))
    if recipe.batch_norm == "training":
        classifier.fold_trunk()
    else:
        classifier.fold_all()
    classifier.trunk.requires_grad_(False)
    seed = recipe.seed if recipe.view_seed is None else recipe.view_seed
    views = TrunkViews(classifier.trunk, splits.train, preprocessing, cache, seed=seed, verify=verify)
    mixed_views = views.mixed(Mixing.of(recipe)) if recipe.mixes_images else None
    validation = splits.validation
    blocks = [validation.pixels(slice(i, i + 4096)) for i in range(0, len(validation), 4096)]
    val_maps = np.concatenate([trunk_maps(classifier.trunk, b, preprocessing, verify, "val") for b in blocks])
    tail = Tail(classifier.tail, classifier.head)
    return Training(
        classifier, tail, views, splits.train.labels, val_maps, validation.labels, recipe, fabric, mixed_views
    )


def verified(
    blocks: Iterable[NDArray[np.uint8]], preprocessing: Preprocessing, verify: Verify, name: str
) -> Iterator[Tensor]:
    """Each block of pixels (b, h, w, 3) as the network's input, verified."""
    for number, block in enumerate(blocks):
        images = preprocessing(block)
        verify(images, None, f"{name}, block {number}")
        yield images


def frozen_phase(training: Training) -> tuple[Epoch, LinearHead, FrozenFeatures]:
    """Fit the head in closed form on the frozen backbone's features of the original images."""
    began = time.perf_counter()
    open_view(training, training.views, 0)
    rng = np.random.default_rng([training.recipe.seed, 1])
    rows = np.sort(rng.permutation(len(training.labels))[:HEAD_ROWS])
    features = np.concatenate(
        [
            pooled(training.tail, training.views.batch(0, part))
            for part in np.array_split(rows, len(rows) // 256 + 1)
        ]
    )
    head = fit_head(features, training.labels[rows], training.classifier.head.out_features)
    with torch.no_grad():
        training.classifier.head.weight.copy_(torch.from_numpy(head.weight))
        training.classifier.head.bias.copy_(torch.from_numpy(head.bias))
    loss = float(F.cross_entropy(torch.from_numpy(head(features)), torch.from_numpy(training.labels[rows])))
    val_loss, val_f1 = validate(training)
    seconds = time.perf_counter() - began
    epoch = Epoch("frozen", 0.0, seconds, 0.0, 0.0, loss, val_loss, val_f1)
    return epoch, head, FrozenFeatures(rows, features)


def pooled(tail: Tail, maps: Tensor) -> NDArray[np.float32]:
    """Pooled features of a batch of maps, without gradients."""
    tail.eval()
    with torch.inference_mode():
        device = tail.head.weight.device
        return np.asarray(tail.features(maps.to(device)).float().cpu().numpy())


def validate(training: Training) -> tuple[float, float]:
    """Cross-entropy and macro-F1 on the validation images."""
    logits = val_logits(training)
    loss = F.cross_entropy(logits, torch.from_numpy(training.val_labels))
    predicted = logits.argmax(1).numpy()
    return float(loss), macro_f1(training.val_labels, predicted, logits.shape[1])


def val_logits(training: Training) -> Tensor:
    """The logits of the validation images (n, k), on the processor's memory."""
    parts = [
        pooled(training.tail, torch.from_numpy(training.val_maps[i : i + 256]).permute(0, 3, 1, 2).float())
        for i in range(0, len(training.val_labels), 256)
    ]
    head = training.classifier.head
    features = torch.from_numpy(np.concatenate(parts))
    return features @ head.weight.detach().cpu().T + head.bias.detach().cpu()


def optimiser_of(training: Training) -> torch.optim.Optimizer:
    """AdamW in two groups: the fine-tuned stages below the head."""
    recipe = training.recipe
    groups = [
        {"params": list(training.tail.stages.parameters()), "lr": recipe.learning_rate * recipe.base_ratio},
        {"params": list(training.tail.head.parameters()), "lr": recipe.learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)


def finetune_phase(training: Training, *, validated: bool = True) -> Iterator[Epoch]:
    """Train the tail and the head; a row after each pass, the last one perhaps a part of a pass.

    Args:
        training: what `prepare` made; its tail and head are changed in place.
        validated: whether to score the validation images after each pass; else those figures are NaN.

    Raises:
        DeepSightError: the loss is not finite; it names the step, and nothing is saved.
    """
    recipe, fabric, tail = training.recipe, training.fabric, training.tail
    steps = max(1, round(recipe.epochs * (len(training.labels) // recipe.batch)))
    optimiser = optimiser_of(training)
    rates = [group["lr"] for group in optimiser.param_groups]
    warmup = min(1.0, max(recipe.warmup, 2 / (steps + 1)))  # the schedule needs a whole step of it
    # The scheduler writes the first rate into the groups, so it is made before Fabric wraps the optimiser.
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=rates, total_steps=steps + 1, pct_start=warmup, cycle_momentum=False
    )
    module, wrapped = fabric.setup(tail, optimiser)
    losses = np.full(len(training.labels), np.inf)
    step, epoch = 0, 0
    while step < steps:
        began = time.perf_counter()
        open_view(training, training.drawn, epoch % recipe.views)
        order = draw_order(training.labels, losses, recipe, epoch)
        order = order[: min(max(1, len(order) // recipe.batch), steps - step) * recipe.batch]
        seen = torch.zeros(len(order), device=fabric.device)
        tail.train()
        for start in range(0, len(order), recipe.batch):
            batch = slice(start, start + recipe.batch)
            loss = training_step(training, module, wrapped, order[batch], epoch, step)
            seen[batch][own_share(fabric)] = loss
            scheduler.step()
            step += 1
        # Every process filled its own places and left zeros in the others', so the sum is the whole.
        seen = torch.as_tensor(fabric.all_reduce(seen, reduce_op="sum"))
        require_finite(seen, step, steps, recipe)
        losses[order] = seen.cpu().numpy()
        seconds = time.perf_counter() - began
        val_loss, val_f1 = float("nan"), float("nan")
        if validated:
            val_loss, val_f1 = validate(training)
            require_finite(torch.tensor([val_loss]), step, steps, recipe)
        base, head = (float(rate) for rate in scheduler.get_last_lr())
        epoch += 1
        passed = step * recipe.batch / len(training.labels)
        yield Epoch("finetune", passed, seconds, base, head, float(seen.mean()), val_loss, val_f1)
    tail.eval()


def open_view(training: Training, views: TrunkViews, number: int) -> None:
    """Fill a view in a machine's first process while its others wait: the cache is shared, not doubled."""
    with training.fabric.rank_zero_first(local=True):
        views.view(number)


def own_share(fabric: Fabric) -> slice:
    """The places in a batch that this process works on."""
    return slice(fabric.global_rank, None, fabric.world_size)


def require_finite(losses: Tensor, step: int, steps: int, recipe: Recipe) -> None:
    """Stop before a diverged model is saved."""
    if not bool(torch.isfinite(losses).all()):
        raise DeepSightError(
            f"Expected a finite loss, received NaN or infinity before step {step} of {steps}. "
            f"Lower the learning rate (now {recipe.learning_rate}) or check the weights."
        )


def training_step(
    training: Training, module: nn.Module, optimiser: torch.optim.Optimizer, rows: NDArray[np.int64],
    epoch: int, step: int,
) -> Tensor:  # fmt: skip
    """One step on this process's share of the batch; the loss of each image in it."""
    recipe, fabric = training.recipe, training.fabric
    maps, labels, others, own = drawn_batch(training, rows, epoch, step)
    with in_precision(recipe.precision, maps.device):
        logits = module(maps).float()
    weight = maps.new_tensor(recipe.class_weights) if recipe.class_weights else None
    smooth = recipe.label_smoothing
    each = F.cross_entropy(logits, labels, weight, reduction="none", label_smoothing=smooth)
    if recipe.mix != "none":
        second = F.cross_entropy(logits, others, weight, reduction="none", label_smoothing=smooth)
        each = own * each + (1 - own) * second
    optimiser.zero_grad()
    # Gradients are averaged over processes; so this is the mean over the batch, also where shares differ.
    fabric.backward(each.sum() * (fabric.world_size / len(rows)))
    # A norm that is not finite is seen in the losses, which name the step; looking here would wait for it.
    fabric.clip_gradients(module, optimiser, max_norm=recipe.clip_norm, error_if_nonfinite=False)
    optimiser.step()
    return each.detach().float()


def drawn_batch(
    training: Training, rows: NDArray[np.int64], epoch: int, step: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """This process's share of a batch: maps (b, c, h, w), mixed as the recipe says; their labels, their
    partners' labels and the share of each that is its own, all (b,)."""
    recipe, fabric = training.recipe, training.fabric
    view, mine = epoch % recipe.views, own_share(fabric)
    # Maps are mixed across the whole batch, so that any number of processes gives the same model.
    mixing_maps = recipe.mix != "none" and training.mixed is None
    rows = rows if mixing_maps else rows[mine]
    maps = fabric.to_device(training.drawn.batch(view, rows))
    labels = fabric.to_device(torch.from_numpy(training.labels[rows]))
    if training.mixed is not None:
        partners = training.mixed.partners(view, rows)
        others = fabric.to_device(torch.from_numpy(training.labels[partners.rows]))
        return maps, labels, others, fabric.to_device(torch.from_numpy(partners.own))
    maps, order, share = mixed(maps, recipe, step)
    own = torch.full((len(rows),), share, device=maps.device)
    if mixing_maps:
        return maps[mine], labels[mine], labels[order][mine], own[mine]
    return maps, labels, labels[order], own


def history_frame(epochs: list[Epoch]) -> pl.DataFrame:
    """The rows of history.parquet."""
    return pl.DataFrame([vars(epoch) for epoch in epochs])
