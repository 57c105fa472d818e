"""Requests to stop: Ctrl-C, SIGTERM or a closing terminal. No handler may treat them as errors.

A signal handler raises `Stopped` wherever the program is. A library's callback may swallow it, so the request
is also remembered: `raise_if_stopped` raises it again at the next stage or file, and the process exits with
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
    """The program was asked to stop.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number

    @property
    def exit_status(self) -> int:
        """128 plus the signal number, as in shells: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


class Request:
    """The stop request of this process, if any."""

    asked: ClassVar[Stopped | None] = None


def stop_on_signals() -> None:
    """Make the signals raise `Stopped`; one that the parent process ignores, as nohup does, stays ignored."""
    Request.asked = None
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def stop(number: int, _: FrameType | None = None) -> None:
    """Raise `Stopped`, so that temporary files are removed on the way out; a second signal exits at once."""
    if Request.asked is not None:
        os._exit(Request.asked.exit_status)
    Request.asked = Stopped(number)
    raise Request.asked


def raise_if_stopped() -> None:
    """Raise the stop request again if something swallowed it."""
    if Request.asked is not None:
        raise Request.asked


def stop_requested() -> bool:
    """Whether this process was asked to stop."""
    return Request.asked is not None


def final_status(status: int) -> int:
    """The exit status of the process: that of the signal if a stop was requested, else `status`."""
    return status if Request.asked is None else Request.asked.exit_status
