"""Fine-tuning of the deepest stages and the head, on cached maps."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe
from deepsight.model.hardware.allocator import freed_memory_kept
from deepsight.model.hardware.precision import forward_in
from deepsight.model.training.sampling import draw_order, mixed
from deepsight.model.training.training_state import Epoch, Training, open_view, validate
from deepsight.model.training.weight_average import WeightAverage


class Optimisation(NamedTuple):
    """The optimiser and the scheduler, with the module as Fabric runs it."""

    module: nn.Module
    optimiser: Any  # Fabric's wrapper, which is no torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.OneCycleLR


def finetune_phase(training: Training, *, validated: bool = True) -> Iterator[Epoch]:
    """Train the trainable stages and the head, yielding a row of history per pass; the last may be partial.

    Args:
        training: from `prepare`; its trainable part is changed in place.
        validated: whether to score the validation images after each pass; otherwise these figures are NaN.

    Raises:
        DeepSightError: the loss is not finite; the message names the step, and nothing is saved.
    """
    recipe, n = training.recipe, len(training.labels)
    steps = max(1, round(recipe.epochs * (n // recipe.batch)))
    optimisation = optimisation_of(training, steps)
    average = WeightAverage(training.trainable, steps, recipe.averaged) if recipe.averaged else None
    losses = np.full(n, np.inf)
    step, epoch = 0, 0
    while step < steps:
        began = time.perf_counter()
        open_view(training, training.drawn, epoch % recipe.views)
        order = draw_order(training.labels, losses, recipe, epoch)
        order = order[: min(max(1, len(order) // recipe.batch), steps - step) * recipe.batch]
        seen = train_epoch(training, optimisation, order, epoch, step, average)
        step += -(-len(order) // recipe.batch)
        require_finite_losses(seen, step, steps, recipe)
        losses[order] = seen.cpu().numpy()
        if average is not None and step >= steps:
            average.take_over()
        seconds = time.perf_counter() - began
        val_loss, val_f1 = float("nan"), float("nan")
        if validated:
            val_loss, val_f1 = validate(training)
            require_finite_losses(torch.tensor([val_loss]), step, steps, recipe)
        base, head = (float(rate) for rate in optimisation.schedule.get_last_lr())
        epoch += 1
        passed = step * recipe.batch / n
        yield Epoch("finetune", passed, seconds, base, head, float(seen.mean()), val_loss, val_f1)
    training.trainable.eval()


def optimisation_of(training: Training, steps: int) -> Optimisation:
    """AdamW (Loshchilov and Hutter 2019) under a one-cycle schedule (Smith and Topin 2019) of `steps` steps.

    The stages and the head have a rate each.
    """
    recipe, trainable = training.recipe, training.trainable
    rates = [recipe.learning_rate * recipe.base_ratio, recipe.learning_rate]
    groups = [
        {"params": list(part.parameters()), "lr": rate}
        for part, rate in zip((trainable.stages, trainable.head), rates, strict=True)
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)
    warmup = min(1.0, max(recipe.warmup, 2 / (steps + 1)))  # the schedule needs at least one step of warm-up
    # The scheduler writes the first rate into the groups, so it is created before Fabric wraps the optimiser.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=rates, total_steps=steps + 1, pct_start=warmup, cycle_momentum=False
    )
    module, wrapped = training.fabric.setup(trainable, optimiser)
    return Optimisation(module, wrapped, schedule)


def train_epoch(
    training: Training, optimisation: Optimisation, order: NDArray[np.int64], epoch: int, step: int,
    average: WeightAverage | None,
) -> Tensor:  # fmt: skip
    """Train on these rows in this order, one step per batch; returns each row's loss (len(order),).

    Args:
        training: its trainable part is changed in place.
        optimisation: of this training.
        order: row numbers.
        epoch: number of passes before this one.
        step: number of steps before this pass.
        average: of the weights, updated after each step.
    """
    recipe, fabric = training.recipe, training.fabric
    seen = torch.zeros(len(order), device=fabric.device)
    training.trainable.train()
    with freed_memory_kept():
        for number, start in enumerate(range(0, len(order), recipe.batch)):
            batch = slice(start, start + recipe.batch)
            each = training_step(training, optimisation, order[batch], epoch, step + number)
            seen[batch][own_share(fabric)] = each
            optimisation.schedule.step()
            if average is not None:
                average.update()
    # Each process fills its own places and leaves zeros in the others', so the sum holds every loss.
    return torch.as_tensor(fabric.all_reduce(seen, reduce_op="sum"))


def own_share(fabric: Fabric) -> slice:
    """The places in a batch that this process works on."""
    return slice(fabric.global_rank, None, fabric.world_size)


def require_finite_losses(losses: Tensor, step: int, steps: int, recipe: Recipe) -> None:
    """Stop before a diverged model is saved."""
    if not bool(torch.isfinite(losses).all()):
        raise DeepSightError(
            f"Expected a finite loss, received NaN or infinity before step {step} of {steps}. "
            f"Lower the learning rate (now {recipe.learning_rate}) or check the weights."
        )


def training_step(
    training: Training, optimisation: Optimisation, rows: NDArray[np.int64], epoch: int, step: int
) -> Tensor:
    """One step on this process's share of the batch; the loss of each image in it."""
    recipe, fabric, module, optimiser = (
        training.recipe,
        training.fabric,
        optimisation.module,
        optimisation.optimiser,
    )
    batch = drawn_batch(training, rows, epoch, step)
    logits = forward_in(recipe.precision, module, batch.maps).float()
    weight = batch.maps.new_tensor(recipe.class_weights) if recipe.class_weights else None
    smooth = recipe.label_smoothing
    each = F.cross_entropy(logits, batch.labels, weight, reduction="none", label_smoothing=smooth)
    if recipe.mix != "none":
        second = F.cross_entropy(logits, batch.others, weight, reduction="none", label_smoothing=smooth)
        each = batch.own * each + (1 - batch.own) * second
    optimiser.zero_grad()
    # Gradients are averaged over processes, so this is the mean over the batch even where shares differ.
    fabric.backward(each.sum() * (fabric.world_size / len(rows)))
    # A norm that is not finite shows in the losses, whose error names the step; a check here would wait.
    fabric.clip_gradients(module, optimiser, max_norm=recipe.clip_norm, error_if_nonfinite=False)
    optimiser.step()
    return each.detach().float()


class DrawnBatch(NamedTuple):
    """One process's share of a batch.

    Attributes:
        maps: (b, c, h, w), mixed as the recipe says.
        labels: int64 (b,).
        others: int64 (b,), the labels of the images that each one is mixed with.
        own: float32 (b,), each image's own share of its mixture; 1 without mixing.
    """

    maps: Tensor
    labels: Tensor
    others: Tensor
    own: Tensor


def drawn_batch(training: Training, rows: NDArray[np.int64], epoch: int, step: int) -> DrawnBatch:
    """This process's share of the batch of these rows."""
    recipe, fabric = training.recipe, training.fabric
    view, mine = epoch % recipe.views, own_share(fabric)
    # Maps are mixed across the whole batch, so that any number of processes gives the same model.
    mixing_maps = recipe.mix != "none" and training.mixed is None
    rows = rows if mixing_maps else rows[mine]
    maps = on_device(fabric, training.drawn.batch(view, rows))
    labels = on_device(fabric, torch.from_numpy(training.labels[rows]))
    if training.mixed is not None:
        partners = training.mixed.partners(view, rows)
        others = on_device(fabric, torch.from_numpy(training.labels[partners.rows]))
        return DrawnBatch(maps, labels, others, on_device(fabric, torch.from_numpy(partners.own)))
    maps, order, share = mixed(maps, recipe, step)
    own = torch.full((len(rows),), share, device=maps.device)
    if mixing_maps:
        return DrawnBatch(maps[mine], labels[mine], labels[order][mine], own[mine])
    return DrawnBatch(maps, labels, labels[order], own)


def on_device(fabric: Fabric, values: Tensor) -> Tensor:
    """The values on the training device; from pinned memory a GPU copies them while it computes."""
    pinned = values.pin_memory() if fabric.device.type == "cuda" else values
    return torch.as_tensor(fabric.to_device(pinned))
