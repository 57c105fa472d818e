"""The time that a command still needs, by its plan or by the minutes it was given."""

import time
from collections.abc import Mapping
from pathlib import Path

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import spoken

# The stages by name, and the names under which the plan predicts their seconds.
STAGES: Mapping[str, tuple[str, ...]] = {
    "obtain": (), "scrub": ("scrub",), "explore": ("explore",), "train": ("frozen", "finetune"),
    "predict": ("predict",), "interpret": ("interpret",), "levers": ("levers",), "report": ("report",),
}  # fmt: skip


class Forecast:
    """The time left for a command: from the study's plan once there is one, else from the minutes allowed.

    Args:
        out: the run folder, whose study.yaml holds the plan once it is made.
        minutes: time allowed for the command; None if unknown.
    """

    def __init__(self, out: Path | None, minutes: float | None = None) -> None:
        self._out = out
        self._minutes, self._began = minutes, time.perf_counter()
        self._stage, self._stage_began = "", self._began
        self._predicted: Mapping[str, float] = {}

    def stage_started(self, name: str) -> None:
        """Note that a stage begins, and read the plan again."""
        self._stage, self._stage_began = name, time.perf_counter()
        self._predicted = self.planned()

    def planned(self) -> Mapping[str, float]:
        """The predicted seconds in study.yaml; empty where there is no plan yet."""
        from deepsight.core.run import STUDY, Run  # takes a second to import

        if self._out is None or not (self._out / STUDY).exists():
            return {}
        try:
            plan = Run(self._out).study().get("plan") or {}
            return {name: float(seconds) for name, seconds in (plan.get("predicted_seconds") or {}).items()}
        except (DeepSightError, AttributeError, TypeError, ValueError):
            return {}  # the study itself reports what is wrong with its file

    def left(self) -> float | None:
        """Seconds left, at least 0; None if unknown."""
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
        """The time left in words, such as "about 3 min left"; empty if unknown."""
        left = self.left()
        return "" if left is None else f"about {spoken(left)} left"
