"""What a careful person writes in plain PyTorch: DataLoader, Albumentations, a frozen epoch, AdamW groups."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import albumentations as A
import cv2
import numpy as np
import torch
import trial
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from deepsight.core.dataset import Dataset
from deepsight.model.pretrained import Pretrained

BATCH, WORKERS, LOOKS = 128, 2, 4  # looks at the test score in an epoch of fine-tuning
# A look ends after 2,000 images if they are clearly below the target: 2 points, 2.5 standard errors.
FIRST, CLEARLY = 2_000, 0.02


class Pictures(TorchDataset):
    """Images through an Albumentations pipeline, one by one."""

    def __init__(self, data: Dataset, transform: A.Compose) -> None:
        self.images, self.labels, self.transform = data.pixels(), data.labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = self.transform(image=self.images[row])["image"]
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), int(self.labels[row])


def transforms(pretrained: Pretrained, resolution: int, *, augmented: bool) -> A.Compose:
    """Resize (bicubic) and normalise; for training also mirror and shift by up to an eighth."""
    steps = [A.Resize(resolution, resolution, interpolation=cv2.INTER_CUBIC)]
    if augmented:
        steps += [A.HorizontalFlip(p=0.5), A.Pad(padding=resolution // 8, border_mode=cv2.BORDER_REFLECT_101)]
        steps += [A.RandomCrop(resolution, resolution)]
    return A.Compose([*steps, A.Normalize(mean=pretrained.mean, std=pretrained.std)])


class Network(nn.Module):
    """The backbone's pooled features and a linear head; `deep` are the blocks that are fine-tuned."""

    def __init__(self, pretrained: Pretrained, k: int) -> None:
        super().__init__()
        body: nn.Module = pretrained.backbone
        body.reset_classifier(0)
        self.body = body
        self.head = nn.Linear(int(body.num_features), k)
        children = dict(body.named_children())
        if "blocks" in children:
            self.deep = [*list(children["blocks"].children())[3:], children["conv_head"], children["bn2"]]
        else:
            self.deep = [children["layer3"], children["layer4"]]

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.body(images)))

    def train(self, mode: bool = True) -> "Network":
        """The frozen blocks' batch norm stays as ImageNet left it."""
        super().train(mode)
        self.body.eval()
        for block in self.deep:
            block.train(mode and next(block.parameters()).requires_grad)
        return self

    def release(self, free: bool) -> None:
        """Train the deep blocks and the head, or the head alone."""
        self.body.requires_grad_(False)
        for block in self.deep:
            block.requires_grad_(free)


class Run:
    """One training with its clock; it ends at the target or the limit."""

    def __init__(self) -> None:
        self.args = trial.arguments()
        self.clock = trial.Clock(self.args.began)
        torch.set_num_threads(2)
        torch.manual_seed(self.args.seed)
        train, self.test = trial.official(self.args)
        rows = np.random.default_rng(self.args.seed).permutation(len(train))[: self.args.rows]
        pretrained = trial.pretrained_of(self.args)
        self.network = Network(pretrained, train.k).to(memory_format=torch.channels_last)
        side = self.args.resolution
        self.batches = DataLoader(
            Pictures(train.select(rows), transforms(pretrained, side, augmented=True)),
            BATCH, shuffle=True, drop_last=True, num_workers=WORKERS, persistent_workers=True,
        )  # fmt: skip
        self.tests = DataLoader(
            Pictures(self.test, transforms(pretrained, side, augmented=False)), 256, num_workers=WORKERS
        )

    def look(self, *, last: bool = False) -> tuple[bool, NDArray[np.int64]]:
        """Whether to stop, and the predictions, for all images if so; the clock stands still.

        The look at which the training stops is added later, as the score of the saved model.
        """
        over = last or self.clock.seconds > self.args.limit_s
        self.network.eval()
        with self.clock.looking(), TemporaryDirectory() as folder, torch.inference_mode():
            torch.save(self.network.state_dict(), Path(folder) / "model.pt")
            predicted, score = np.zeros(0, dtype=np.int64), 0.0
            for images, _ in self.tests:
                answers = self.network(images.to(memory_format=torch.channels_last)).argmax(1).numpy()
                predicted = np.concatenate([predicted, answers])
                score = trial.macro_f1(self.test.labels[: len(predicted)], predicted, self.test.k)
                if not over and len(predicted) >= FIRST and score < self.args.target - CLEARLY:
                    break
        seconds = f"{self.clock.seconds:.0f} s, and {self.clock.last:.0f} s for {len(predicted):,} answers"
        print(f"{seconds}: {score:.4f}", file=sys.stderr, flush=True)
        self.network.train()
        reached = len(predicted) == len(self.test) and score >= self.args.target
        return over or reached, predicted

    def stop_at_limit(self, arm: str, images: int) -> None:
        """End the process with its row when the time is up before there was anything to score."""
        if self.clock.seconds > self.args.limit_s:
            self.args.epochs = round(images / self.args.rows, 3)
            trial.report(self.args, arm, self.clock.seconds, self.test, None)
            sys.exit()

    def frozen_epoch(self) -> None:
        """One epoch of the head alone."""
        self.network.release(False)
        self.network.train()
        optimiser = torch.optim.AdamW(self.network.head.parameters(), lr=3e-3, weight_decay=0.05, fused=True)
        for number, (images, labels) in enumerate(self.batches, 1):
            self.step(images, labels, [optimiser])
            self.stop_at_limit("plain", number * BATCH)

    def finetune(self) -> NDArray[np.int64]:
        """AdamW with a rate for the blocks and one for the head, under one cycle."""
        network, epochs = self.network, max(1, round(self.args.epochs))
        network.release(True)
        network.train()
        deep = [p for block in network.deep for p in block.parameters()]
        groups = [{"params": deep, "lr": 7e-4}, {"params": list(network.head.parameters()), "lr": 1e-3}]
        optimiser = torch.optim.AdamW(groups, weight_decay=0.05, fused=True)
        rates = [7e-4, 1e-3]
        steps = epochs * len(self.batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps + 1, pct_start=0.25)
        done = 0
        for _ in range(epochs):
            for images, labels in self.batches:
                self.step(images, labels, [optimiser, cycle])
                done += 1
                if done % max(1, len(self.batches) // LOOKS) == 0 or done == steps:
                    stop, predicted = self.look(last=done == steps)
                    if stop:
                        return predicted
        return predicted

    def step(self, images: Tensor, labels: Tensor, steppers: list) -> None:
        """One step on one batch."""
        logits = self.network(images.to(memory_format=torch.channels_last))
        loss = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
        steppers[0].zero_grad(set_to_none=True)
        loss.backward()
        for stepper in steppers:
            stepper.step()


def main() -> None:
    run = Run()
    run.frozen_epoch()
    stop, predicted = run.look()
    if not stop:
        predicted = run.finetune()
    run.clock.count_last()
    trial.report(run.args, "plain", run.clock.seconds, run.test, predicted)


if __name__ == "__main__":
    main()
