"""A request to stop: Ctrl-C, SIGTERM or a closing terminal. It is no error, and nothing may catch it as one.

A signal handler raises `Stopped` wherever the work stands. Code in a callback may swallow it, so the request
is also remembered: `raise_if_stopped` raises it again at the next stage or file, and the process ends with
the status of the signal in any case.
"""

import os
import signal
from types import FrameType
from typing import ClassVar

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


class Stopped(BaseException):
    """The work was asked to stop. It says nothing about the work, so it is never a result.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number

    @property
    def exit_status(self) -> int:
        """128 plus the number of the signal, as shells have it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


class Request:
    """The stop that was asked for, if any; one per process."""

    asked: ClassVar[Stopped | None] = None


def stop_on_signals() -> None:
    """Let the signals raise `Stopped`; one that the parent had ignored, as nohup does, stays ignored."""
    Request.asked = None
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def stop(number: int, _: FrameType | None = None) -> None:
    """Raise `Stopped`, so that temporary files are removed on the way out; the second time end at once."""
    if Request.asked is not None:
        os._exit(Request.asked.exit_status)
    Request.asked = Stopped(number)
    raise Request.asked


def raise_if_stopped() -> None:
    """Stop here if a stop was asked for and something swallowed it."""
    if Request.asked is not None:
        raise Request.asked


def final_status(status: int) -> int:
    """The exit status of the process: that of the signal if a stop was asked for, whatever came after."""
    return status if Request.asked is None else Request.asked.exit_status
