"""fastai by its usual order: freeze, one cycle, freeze_to(-2), one cycle with sliced rates."""

import numpy as np
import trial
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import Learner  # importing it gives Learner its fit_one_cycle
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from plain import BATCH, LOOKS, WORKERS, Run
from torch import nn


def groups_of(network: nn.Module) -> list[list[nn.Parameter]]:
    """Three groups of parameters, as `freeze_to(-2)` counts them: shallow blocks, deep blocks, the head."""
    deep = [p for block in network.deep for p in block.parameters()]
    known = {id(p) for p in deep}
    return [[p for p in network.body.parameters() if id(p) not in known], deep, [*network.head.parameters()]]


class Looks(Callback):
    """Looks at the test score at the plain arm's intervals, and stops at the target or the limit."""

    def __init__(self, run: Run) -> None:
        self.run_ = run
        self.stopped, self.predicted = False, np.zeros(0, dtype=np.int64)

    def after_batch(self) -> None:
        steps = len(self.dls.train)
        last = self.iter + 1 == steps and self.epoch + 1 == self.n_epoch
        if self.training and ((self.iter + 1) % max(1, steps // LOOKS) == 0 or self.iter + 1 == steps):
            self.stopped, self.predicted = self.run_.look(last=last)
            if self.stopped:
                raise CancelFitException


class Limit(Callback):
    """Ends the process when the time is up before there was anything to score."""

    def __init__(self, run: Run) -> None:
        self.run_ = run

    def after_batch(self) -> None:
        self.run_.stop_at_limit("fastai", (self.iter + 1) * BATCH)


def main() -> None:
    run = Run()
    train = DataLoader(run.batches.dataset, bs=BATCH, shuffle=True, drop_last=True, num_workers=WORKERS)
    none = DataLoader([], bs=BATCH)  # the looks are the validation
    looks = Looks(run)
    learner = Learner(
        DataLoaders(train, none), run.network, nn.CrossEntropyLoss(label_smoothing=0.1), splitter=groups_of
    )
    with learner.no_bar(), learner.no_logging():
        learner.freeze()
        learner.fit_one_cycle(1, 3e-3, cbs=Limit(run))
        looks.stopped, looks.predicted = run.look()
        if not looks.stopped:
            learner.freeze_to(-2)
            learner.fit_one_cycle(max(1, round(run.args.epochs)), slice(7e-4, 1e-3), cbs=looks)
    run.clock.count_last()
    trial.report(run.args, "fastai", run.clock.seconds, run.test, looks.predicted)


if __name__ == "__main__":
    main()
