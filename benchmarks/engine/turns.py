"""Timing in turns, so that all that is compared sees the same machine."""

import time
from collections.abc import Callable

import numpy as np

Row = dict[str, object]


def timed(action: Callable[[], object]) -> float:
    """Seconds of one action."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_turns(*actions: Callable[[], object], rounds: int) -> np.ndarray:
    """Seconds (rounds, actions), the actions by turns, after one round that is not counted."""
    seconds = np.zeros((rounds + 1, len(actions)))
    for number in range(rounds + 1):
        seconds[number] = [timed(action) for action in actions]
    return seconds[1:]


def ratio_row(question: str, setting: str, measure: str, seconds: np.ndarray, n: int) -> Row:
    """The second action's time over the first's: median, least and most over rounds."""
    return value_row(question, setting, measure, np.round(seconds[:, 1] / seconds[:, 0], 3), n)


def value_row(question: str, setting: str, measure: str, values: np.ndarray, n: int) -> Row:
    """Median, least and most of a measure over rounds."""
    return {
        "question": question, "setting": setting, "measure": measure,
        "value": round(float(np.median(values)), 3),
        "least": round(float(np.min(values)), 3), "most": round(float(np.max(values)), 3), "n": n,
    }  # fmt: skip
