"""Processes share a pass: each does its blocks, and the first has all answers."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from lightning_fabric import Fabric

import shared_squares
from deepsight.core.progress import silent
from deepsight.workflows.passes.torchrun_pass import shared_pass

N, BLOCK = 250, 40


@dataclass
class Process:
    """Stands for one of several processes; they run one after the other."""

    global_rank: int
    world_size: int
    waited: list[int] = field(default_factory=list)

    @property
    def is_global_zero(self) -> bool:
        return self.global_rank == 0

    def broadcast(self, value: Any) -> str:
        return "the same for all"

    def barrier(self) -> None:
        self.waited.append(self.global_rank)


def carried_out(rank: int, processes: int) -> tuple[list[int], np.ndarray | None]:
    """The blocks that a process was asked for, and what it got."""
    asked: list[int] = []
    found = shared_pass(
        lambda: shared_squares.open_squares(asked), N, block=BLOCK, name="rows",
        fabric=cast(Fabric, Process(rank, processes)), log=silent,
    )  # fmt: skip
    return asked, None if found is None else found["square"]


def test_each_process_does_its_blocks_and_the_first_has_the_answers(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path))
    assert carried_out(2, 3) == ([80, 200], None)
    assert carried_out(1, 3) == ([40, 160], None)
    asked, squares = carried_out(0, 3)
    assert asked == [0, 120, 240]
    assert np.array_equal(squares, np.arange(N) ** 2)
    assert not any((tmp_path / "passes").iterdir())


def test_a_process_alone_does_all_rows_at_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path))
    asked, squares = carried_out(0, 1)
    assert asked == [0]
    assert np.array_equal(squares, np.arange(N) ** 2)
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.study
def test_two_processes_of_torchrun_share_a_pass(tmp_path: Path) -> None:
    environment = os.environ | {"DEEPSIGHT_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
        shared_squares.__file__, str(tmp_path),
    ]  # fmt: skip
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=500)
    said = [json.loads((tmp_path / f"rank-{rank}.json").read_text(encoding="utf-8")) for rank in range(2)]
    assert said[0] == {"asked": [0, 80, 160, 240], "answer": (np.arange(N) ** 2).tolist()}
    assert said[1] == {"asked": [40, 120, 200], "answer": None}
