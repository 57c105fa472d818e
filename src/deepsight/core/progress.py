"""How far a long loop has come, and how long it will still take."""

import time
from collections.abc import Callable

Log = Callable[[str], None]  # receives a line for each thing that the user should see


def spoken(seconds: float) -> str:
    """A duration as a person would say it: "40 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Tells a line at each tenth of a loop over n items, with the time that is left at the pace so far.

    Args:
        what: what is counted, such as "training images".
        n: how many there are.
        tell: receives the lines.
        quiet: seconds that must have passed since the last line (or the start) before one is told.
    """

    def __init__(self, what: str, n: int, log: Callable[[str], None], *, quiet: float = 2.0) -> None:
        self._what, self._n, self._log, self._quiet = what, n, log, quiet
        self._began = self._last = time.perf_counter()
        self._tenths = 0

    def done(self, count: int) -> None:
        """So many items are done."""
        now, tenths = time.perf_counter(), 10 * count // max(self._n, 1)
        if tenths > self._tenths and count < self._n and now - self._last >= self._quiet:
            left = (now - self._began) / count * (self._n - count)
            self._log(f"{count:,} of {self._n:,} {self._what}, about {spoken(left)} left.")
            self._last = now
        self._tenths = max(self._tenths, tenths)
