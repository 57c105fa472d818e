"""The bottom line on a terminal: the stage, the time elapsed and the time left."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from deepsight.cli.forecast import Forecast
from deepsight.core.files.printable import printable
from deepsight.core.progress import Event, Log, StageStarted


class Clock(ProgressColumn):
    """Time elapsed and time left."""

    def __init__(self, forecast: Forecast) -> None:
        super().__init__()
        self._forecast = forecast

    def render(self, task: Task) -> Text:
        """Such as "1:05, about 3 min left"."""
        gone = int(task.elapsed or 0)
        left = self._forecast.words()
        return Text(f"{gone // 60}:{gone % 60:02d}" + (f", {left}" if left else ""))


@contextmanager
def live_line(forecast: Forecast) -> Iterator[Log]:
    """A log that shows the stage on the bottom line and scrolls all other events above it."""
    console = Console(stderr=True, highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), Clock(forecast))
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as shown:
        task = shown.add_task("starting", total=None)

        def log(event: Event | str) -> None:
            if isinstance(event, StageStarted):
                forecast.stage_started(event.name)
                shown.update(task, description=event.name, refresh=True)
            else:
                console.print(printable(str(event)), markup=False, soft_wrap=True)

        yield log
