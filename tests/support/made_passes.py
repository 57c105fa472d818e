"""Passes that count what they are asked, stop, or die once."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deepsight.core.dataset import Images
from deepsight.workflows.examine.examine_run import open_run_answers
from deepsight.workflows.passes.block_work import Arrays, Work


def open_counted(log: Path, stop_at: int | None = None) -> Callable[[slice], Arrays]:
    """A pass that notes the blocks which it is asked for, and stops at one."""

    def work(rows: slice) -> Arrays:
        if rows.start == stop_at:
            raise KeyboardInterrupt
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{rows.start}\n")
        numbers = np.arange(rows.start, rows.stop)
        return {"square": numbers**2, "name": np.array([f"row {i}" for i in numbers])}

    return work


def open_numbers(log: Path) -> Callable[[slice], Arrays]:
    """A pass that gives numbers alone, and notes the blocks which it is asked for."""
    counted = open_counted(log)

    def work(rows: slice) -> Arrays:
        square = counted(rows)["square"]
        plane = np.stack([square, -square], axis=1).astype(np.float32).reshape(-1, 1, 2)
        return {"square": square, "plane": plane}

    return work


def open_mortal_answers(folder: Path, images: Images, mark: Path, dies_at: int) -> Work:
    """The answers of a run's model; the first worker that comes to one block dies there."""
    answers = open_run_answers(folder, images)

    def work(rows: slice) -> Arrays:
        if rows.start == dies_at and not mark.exists():
            mark.touch()
            os._exit(1)
        return answers(rows)

    return work
