"""Progress of running work: typed events, and sentences.

`str` turns every event into a readable line, so `log=print` shows all of them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StageStarted:
    """A stage of a study begins."""

    name: str

    def __str__(self) -> str:
        return f"[{self.name}]"


@dataclass(frozen=True)
class EpochEnded:
    """An epoch of the training has ended.

    Attributes:
        phase: "frozen" or "finetune".
        epoch: passes over the training rows so far; it may be fractional.
        train_loss: cross-entropy, in nats.
        val_macro_f1: macro-F1 on validation, 0 to 1.
        seconds: the time that the epoch took.
    """

    phase: str
    epoch: float
    train_loss: float
    val_macro_f1: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.phase:>8} epoch {self.epoch:.2f}: loss {self.train_loss:.3f}, "
            f"validation macro-F1 {self.val_macro_f1:.3f} ({self.seconds:.0f} s)"
        )


@dataclass(frozen=True)
class LoopProgress:
    """The progress of a long loop.

    Attributes:
        what: what is counted, such as "training images".
        done: the number done.
        total: the number to do.
        seconds_left: estimated from the pace so far.
    """

    what: str
    done: int
    total: int
    seconds_left: float

    def __str__(self) -> str:
        return f"{self.done:,} of {self.total:,} {self.what}, about {spoken(self.seconds_left)} left."


Event = StageStarted | EpochEnded | LoopProgress
Log = Callable[[Event | str], None]  # receives every event, and a sentence for anything else worth knowing


def silent(_: Event | str) -> None:
    """A log that discards everything."""


def spoken(seconds: float) -> str:
    """A rounded duration, such as "40 s", "3 min" or "2.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Logs each tenth of a loop over n items, with the time left at the pace so far.

    Args:
        what: what is counted, such as "training images".
        n: the number of items.
        log: receives a `LoopProgress` at each tenth.
        quiet: minimum time before the first event and between events, in seconds.
    """

    def __init__(self, what: str, n: int, log: Log, *, quiet: float = 2.0) -> None:
        self._what, self._n, self._log, self._quiet = what, n, log, quiet
        self._began = self._last = time.perf_counter()
        self._tenths = 0

    def done(self, count: int) -> None:
        """Report that `count` items are done."""
        now, tenths = time.perf_counter(), 10 * count // max(self._n, 1)
        if tenths > self._tenths and count < self._n and now - self._last >= self._quiet:
            left = (now - self._began) / count * (self._n - count)
            self._log(LoopProgress(self._what, count, self._n, left))
            self._last = now
        self._tenths = max(self._tenths, tenths)
