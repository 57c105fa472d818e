"""A pass goes on where it was stopped, and gives its answers in order, in memory or on disk."""

import io
import multiprocessing
import os
import pickle
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deepsight.core.errors import UsageError
from deepsight.core.files.atomic import machine
from deepsight.core.progress import silent
from deepsight.workflows.passes.block_passes import (
    blocks_in_order,
    forget_blocks,
    map_blocks,
    require_engine,
    run_blocks,
    share_blocks,
    whole_folder,
)
from deepsight.workflows.passes.block_work import Arrays, Work
from deepsight.workflows.passes.ray_engine import BlockWorker
from made_passes import open_counted, open_numbers

N = 250


def test_a_pass_that_was_stopped_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        run_blocks(partial(open_counted, log, 200), N, block=100, kept=kept, name="rows", log=silent)
    assert sorted(path.name for path in kept.iterdir()) == ["block_0.npz", "block_100.npz"]
    (kept / "block_100.npz").write_bytes(b"damaged")
    found = run_blocks(partial(open_counted, log), N, block=100, kept=kept, name="rows", log=silent)
    assert log.read_text().split() == ["0", "100", "100", "200"]
    assert np.array_equal(found["square"], np.arange(N) ** 2)
    assert found["name"][-1] == "row 249"
    assert not kept.exists()


def test_blocks_come_in_order_though_later_ones_were_finished_before(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    share_blocks(partial(open_counted, log), N, block=100, kept=kept, rank=1, processes=2)
    assert log.read_text().split() == ["100"]
    found = blocks_in_order(partial(open_counted, log), N, block=100, kept=kept, name="rows", log=silent)
    assert [(rows.start, answer["square"][0]) for rows, answer in found] == [
        (0, 0), (100, 10_000), (200, 40_000)
    ]  # fmt: skip
    assert log.read_text().split() == ["100", "0", "200"]


def test_the_shares_of_all_processes_are_the_whole_pass(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    for rank in range(3):
        share_blocks(partial(open_counted, log), N, block=40, kept=kept, rank=rank, processes=3)
    assert sorted(map(int, log.read_text().split())) == list(range(0, N, 40))
    found = run_blocks(partial(open_counted, log, 0), N, block=40, kept=kept, name="rows", log=silent)
    assert np.array_equal(found["square"], np.arange(N) ** 2)


def test_mapped_answers_are_those_in_memory_and_are_made_once(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    work = partial(open_numbers, log)
    here = run_blocks(work, N, block=100, kept=tmp_path / "a", name="rows", log=silent)
    there = map_blocks(work, N, block=100, kept=kept, name="rows", log=silent)
    assert all(isinstance(values, np.memmap) for values in there.values())
    assert {name: values.dtype for name, values in there.items()} == {
        name: values.dtype for name, values in here.items()
    }
    for name, values in here.items():
        assert np.array_equal(there[name], values), name
    before = log.read_text()
    again = map_blocks(work, N, block=100, kept=kept, name="rows", log=silent)
    assert np.array_equal(again["plane"], here["plane"])
    assert log.read_text() == before
    (whole_folder(kept) / "plane.npy").write_bytes(b"damaged")
    mended = map_blocks(work, N, block=100, kept=kept, name="rows", log=silent)
    assert np.array_equal(mended["plane"], here["plane"])
    forget_blocks(kept)
    assert not whole_folder(kept).exists()


def test_what_a_killed_process_left_is_removed_and_what_another_writes_stays(tmp_path: Path) -> None:
    kept, work = tmp_path / "passes" / "kept", partial(open_numbers, tmp_path / "log")
    dead, live = (kept.with_name(f"kept-part-{machine()}-{process}") for process in (2**22 + 1, os.getppid()))
    for folder in (dead, live):
        folder.mkdir(parents=True)
        (folder / "plane.npy").write_bytes(b"half")
    map_blocks(work, N, block=N, kept=kept, name="rows", log=silent)
    assert (dead.exists(), live.exists()) == (False, True)
    forget_blocks(kept)
    assert [path.name for path in kept.parent.iterdir()] == [live.name]


def test_finished_blocks_that_another_process_removed_are_made_again(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    for rank in range(2):
        share_blocks(partial(open_counted, log), N, block=100, kept=kept, rank=rank, processes=2)
    found = blocks_in_order(partial(open_counted, log), N, block=100, kept=kept, name="rows", log=silent)
    first, _ = next(found)
    shutil.rmtree(kept)
    assert [first.start, *(rows.start for rows, _ in found)] == [0, 100, 200]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that share what a test has made")
def test_two_processes_with_one_pass_both_get_it(tmp_path: Path) -> None:
    """Both are in the middle of it at once, and each removes what is left when it is done."""
    context = multiprocessing.get_context("fork")
    meeting, answers = context.Barrier(2), context.Queue()
    kept = tmp_path / "passes" / "kept"

    def work_of_both() -> Work:
        made = open_numbers(tmp_path / "log")

        def work(rows: slice) -> Arrays:
            meeting.wait(60)
            return made(rows)

        return work

    def one() -> None:
        found = map_blocks(work_of_both, N, block=N, kept=kept, name="rows", log=silent)
        answers.put({name: values.tolist() for name, values in found.items()})
        forget_blocks(kept)

    processes = [context.Process(target=one) for _ in range(2)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    expected = open_numbers(tmp_path / "log")(slice(0, N))
    assert found[0] == found[1] == {name: values.tolist() for name, values in expected.items()}
    assert list(kept.parent.iterdir()) == []


@pytest.mark.parametrize("engine", ["spark", "", "ray:head"])
def test_an_engine_that_nobody_knows_is_refused(engine: str) -> None:
    with pytest.raises(UsageError, match="local, ray"):
        require_engine(engine)


def test_a_worker_of_a_cluster_packs_its_answers(tmp_path: Path) -> None:
    worker = BlockWorker(partial(open_counted, tmp_path / "log"))
    told = np.array([pickle.dumps(slice(100, 102))], dtype=object)
    answer = worker({"id": np.array([7]), "told": told})
    assert answer["id"].tolist() == [7]
    with np.load(io.BytesIO(answer["content"][0]), allow_pickle=False) as found:
        assert found["square"].tolist() == [10_000, 10_201]
        assert found["name"].tolist() == ["row 100", "row 101"]


def test_work_is_told_what_belongs_to_a_block_and_no_more(tmp_path: Path) -> None:
    names = [f"file {i}" for i in range(N)]

    def opened() -> Work:
        return lambda told: {"name": np.array(told)}

    found = blocks_in_order(
        opened, N, block=100, kept=tmp_path / "kept", name="rows", log=silent, tell=lambda rows: names[rows]
    )
    assert [(len(answer["name"]), str(answer["name"][0])) for _, answer in found] == [
        (100, "file 0"), (100, "file 100"), (50, "file 200")
    ]  # fmt: skip
