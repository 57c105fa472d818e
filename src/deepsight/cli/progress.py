"""What a person sees while a command runs: lines on stderr, and on a terminal a clock with the time left."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from deepsight.core.progress import Event, Log, StageStarted, spoken
from deepsight.core.run import STUDY

# The stages by name, and the names under which the plan predicts their seconds.
STAGES: Mapping[str, tuple[str, ...]] = {
    "obtain": (), "scrub": ("scrub",), "explore": ("explore",), "train": ("frozen", "finetune"),
    "predict": ("predict",), "interpret": ("interpret",), "report": ("report",),
}  # fmt: skip
console = Console(stderr=True, highlight=False)


def first_process() -> bool:
    """Whether this process speaks for all that torchrun started, or is the only one."""
    return os.environ.get("RANK", "0") == "0"


def say(line: str) -> None:
    """A line on stderr, as it is."""
    console.print(line, markup=False, soft_wrap=True)


class Forecast:
    """What is left of a study: by its plan where there is one, else by the minutes that were asked for.

    Args:
        out: the run folder, whose study.yaml holds the plan once it is made.
        minutes: that the command may take; None where nothing is known.
    """

    def __init__(self, out: Path | None, minutes: float | None = None) -> None:
        self._study = None if out is None else out / STUDY
        self._minutes, self._began = minutes, time.perf_counter()
        self._stage, self._stage_began = "", self._began
        self._predicted: Mapping[str, float] = {}

    def stage_started(self, name: str) -> None:
        """Take note of the stage that begins."""
        self._stage, self._stage_began = name, time.perf_counter()
        self._predicted = self.planned()

    def planned(self) -> Mapping[str, float]:
        """The predicted seconds in study.yaml; empty where there is no plan yet."""
        if self._study is None or not self._study.exists():
            return {}
        study = yaml.safe_load(self._study.read_text(encoding="utf-8"))
        return dict((study.get("plan") or {}).get("predicted_seconds") or {})

    def left(self) -> float | None:
        """Seconds that are left, at least 0; None where nothing is known."""
        now = time.perf_counter()
        if not self._predicted:
            return None if self._minutes is None else max(0.0, self._minutes * 60 - (now - self._began))
        names = list(STAGES)
        later = names[names.index(self._stage) + 1 :] if self._stage in STAGES else []
        here = self.seconds(self._stage) - (now - self._stage_began)
        return max(0.0, here) + sum(self.seconds(name) for name in later)

    def seconds(self, stage: str) -> float:
        """The predicted seconds of a stage."""
        return sum(self._predicted.get(name, 0.0) for name in STAGES.get(stage, ()))

    def words(self) -> str:
        """The time left as a person says it; empty where nothing is known."""
        left = self.left()
        return "" if left is None else f"about {spoken(left)} left"


class Clock(ProgressColumn):
    """Time gone and time left, drawn anew twice a second."""

    def __init__(self, forecast: Forecast) -> None:
        super().__init__()
        self._forecast = forecast

    def render(self, task: Task) -> Text:
        """Such as "1:05, about 3 min left"."""
        gone = int(task.elapsed or 0)
        left = self._forecast.words()
        return Text(f"{gone // 60}:{gone % 60:02d}" + (f", {left}" if left else ""))


@contextmanager
def progress(out: Path | None = None, *, minutes: float | None = None) -> Iterator[Log]:
    """What shows a command's events while it works.

    On a terminal the bottom line names the stage, the time gone and the time left. Elsewhere, such as in a
    log file, each event is a line, and a stage's line carries the time left.

    Args:
        out: the run folder, if the command is a study.
        minutes: that the command may take.
    """
    forecast = Forecast(out, minutes)
    if not console.is_terminal or not first_process():
        yield lambda event: say(line_of(event, forecast))
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), Clock(forecast))
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as shown:
        task = shown.add_task("starting", total=None)

        def log(event: Event | str) -> None:
            if isinstance(event, StageStarted):
                forecast.stage_started(event.name)
                shown.update(task, description=event.name, refresh=True)
            else:
                say(str(event))

        yield log


def line_of(event: Event | str, forecast: Forecast) -> str:
    """The line for an event, with the time left where a stage begins."""
    if not isinstance(event, StageStarted):
        return str(event)
    forecast.stage_started(event.name)
    words = forecast.words()
    return f"{event} {words}" if words else str(event)
