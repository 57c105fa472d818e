"""Passes over many images, one block at a time: in this process, or on the workers of a Ray cluster.

Both ways call the same function on the same blocks, so the answers are the same. Each finished block is kept
until the pass is complete, so that an interrupted pass is resumed. Answers come block by block, as arrays in
memory, or as arrays on disk.
"""

import glob
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.blocks import blocks_of
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import is_running, machine, read_npz, write_npz
from deepsight.core.files.damage import DAMAGE
from deepsight.core.files.scratch import scratch_array
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.files.windows import is_windows
from deepsight.core.progress import Log, Progress
from deepsight.workflows.passes.block_work import Arrays, OpenWork, Tell
from deepsight.workflows.passes.ray_engine import RAY, ray_answers
from deepsight.workflows.passes.ray_start import ray_library

LOCAL = "local"
TRIES = 3


def require_engine(engine: str) -> None:
    """Refuse an unknown engine, or one whose library is missing.

    Raises:
        UsageError: it is neither "local" nor "ray" nor an address that starts with "ray://".
        DeepSightError: Ray is not installed.
    """
    if engine not in (LOCAL, RAY) and not engine.startswith("ray://"):
        raise UsageError(f"Expected --engine local, ray or ray://HOST:PORT, received '{engine}'.")
    if engine != LOCAL:
        ray_library()


def run_blocks(
    open_work: OpenWork, n: int, *, block: int, engine: str = LOCAL, kept: Path, name: str, log: Log
) -> dict[str, np.ndarray]:
    """The answers for n rows, in their order; numbers are in a `scratch_array`.

    Args:
        open_work: opens the model and the data; with Ray it is sent to every worker.
        n: number of rows.
        block: rows per block.
        engine: "local", "ray" for a cluster on this machine or the one that RAY_ADDRESS names, or
            "ray://HOST:PORT".
        kept: a folder for finished blocks, named after everything that the answers depend on; it is removed
            at the end.
        name: of the pass, for the progress.
        log: receives the progress.

    Returns:
        The arrays of all blocks, joined, by name.

    Raises:
        DeepSightError: Ray is not installed, or the work cannot be sent to its workers.
    """
    numbers: dict[str, np.ndarray] = {}
    texts: dict[str, list[np.ndarray]] = {}
    for rows, answer in blocks_in_order(
        open_work, n, block=block, engine=engine, kept=kept, name=name, log=log
    ):
        for key, values in answer.items():
            if values.dtype.kind in "US":  # strings have different widths from block to block
                texts.setdefault(key, []).append(values)
            else:
                if key not in numbers:
                    numbers[key] = scratch_array((n, *values.shape[1:]), values.dtype)
                numbers[key][rows] = values
    return numbers | {key: np.concatenate(values) for key, values in texts.items()}


def blocks_in_order(
    open_work: OpenWork, n: int, *, block: int, engine: str = LOCAL, kept: Path, name: str, log: Log,
    tell: Tell | None = None,
) -> Iterator[tuple[slice, Arrays]]:  # fmt: skip
    """The answers block by block, in the order of the rows; one block is in memory at a time.

    The arguments are those of `run_blocks`, and `tell`, which returns the argument of the work for a block,
    such as the files of its rows; by default the rows. Only this is sent to the worker of the block. If the
    caller stops early, the finished blocks stay in `kept`.

    Raises:
        DeepSightError: Ray is not installed, or the work cannot be sent to its workers.
    """
    blocks = blocks_of(n, block)
    paths = [block_file(kept, rows) for rows in blocks]
    ready = {i for i, path in enumerate(paths) if read_npz(path) is not None}
    missing = [i for i in range(len(blocks)) if i not in ready]
    progress = Progress(name, n, log)
    finished = sum(blocks[i].stop - blocks[i].start for i in ready)
    tell = tell or (lambda rows: rows)
    told = {i: tell(blocks[i]) for i in missing}
    answers = local_answers(open_work, told) if engine == LOCAL else ray_answers(open_work, told, engine, log)
    at = 0
    for i, answer in answers:
        if len(blocks) > 1:
            write_npz(paths[i], **answer)
        ready.add(i)
        finished += blocks[i].stop - blocks[i].start
        progress.done(finished)
        while at in ready:
            yield blocks[at], answer if at == i else block_of(open_work, tell, blocks[at], paths[at])
            at += 1
    for i in range(at, len(blocks)):
        yield blocks[i], block_of(open_work, tell, blocks[i], paths[i])
    shutil.rmtree(kept, ignore_errors=True)


def map_blocks(
    open_work: OpenWork, n: int, *, block: int, engine: str = LOCAL, kept: Path, name: str, log: Log
) -> dict[str, np.ndarray]:
    """The answers for n rows as memory-mapped arrays, which may be larger than memory.

    The arguments are those of `run_blocks`; the answers must be numbers. The arrays are stored in a folder
    beside `kept` until `forget_blocks` removes it, so the same pass is not carried out twice.

    Raises:
        DeepSightError: Ray is not installed, the work cannot be sent to its workers, or the disk is full.
    """
    whole = whole_folder(kept)
    for _ in range(TRIES):  # another process with the same pass may remove the arrays when it is done
        found = mapped_arrays(whole, n)
        if found is None:
            blocks = blocks_in_order(open_work, n, block=block, engine=engine, kept=kept, name=name, log=log)
            try:
                found = made_arrays(whole, kept, blocks, n)
            except OSError as error:
                raise cannot_write(whole, error) from error
        if found is not None:
            return found
    raise DeepSightError(
        f"Expected the arrays of the pass over {name} in {whole}, but they were removed or changed. "
        "Run the command again."
    )


def made_arrays(
    whole: Path, kept: Path, blocks: Iterator[tuple[slice, Arrays]], n: int
) -> dict[str, np.ndarray] | None:
    """Write the arrays of a pass into a folder of this process, and rename it to `whole`.

    None if another process removed them at once.
    """
    remove_parts(kept)
    part = part_folder(kept)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        write_arrays(part, blocks, n)
        # A mapping survives the renaming of its file. Windows cannot rename a folder with an open file.
        found = None if is_windows() else mapped_arrays(part, n)
        if mapped_arrays(whole, n) is None:  # otherwise another process with the same pass was faster
            shutil.rmtree(whole, ignore_errors=True)
            part.rename(whole)
    except OSError:
        found = mapped_arrays(whole, n)
        if found is None:
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return mapped_arrays(whole, n) if found is None else found


def write_arrays(folder: Path, blocks: Iterator[tuple[slice, Arrays]], n: int) -> None:
    """Write each array of the blocks as one .npy file of n rows, with one block in memory at a time."""
    with ExitStack() as stack:
        files = {}
        for _, answer in blocks:
            for key, values in answer.items():
                if key not in files:
                    files[key] = stack.enter_context((folder / f"{key}.npy").open("wb"))
                    about = np.lib.format.header_data_from_array_1_0(values[:0])
                    np.lib.format.write_array_header_1_0(
                        files[key], about | {"shape": (n, *values.shape[1:]), "fortran_order": False}
                    )
                files[key].write(np.ascontiguousarray(values).data)


def mapped_arrays(folder: Path, n: int) -> dict[str, np.ndarray] | None:
    """The memory-mapped arrays of a finished pass over n rows; None if they are missing or damaged."""
    try:
        found = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    except DAMAGE:
        return None
    return found if found and all(len(values) == n for values in found.values()) else None


def forget_blocks(kept: Path) -> None:
    """Remove the files of a pass beside `kept`, except what another process is writing."""
    remove_parts(kept)
    for folder in (kept, whole_folder(kept), part_folder(kept)):
        shutil.rmtree(folder, ignore_errors=True)


def part_folder(kept: Path) -> Path:
    """The folder in which this process writes the arrays of a pass."""
    return kept.with_name(f"{kept.name}-part-{machine()}-{os.getpid()}")


def remove_parts(kept: Path) -> None:
    """Remove unfinished arrays of a pass that killed processes of this machine left behind."""
    for folder in kept.parent.glob(f"{glob.escape(kept.name)}-part-*"):
        where, _, process = folder.name.removeprefix(f"{kept.name}-part-").partition("-")
        if where == machine() and process.isdigit() and not is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def whole_folder(kept: Path) -> Path:
    """The folder of the arrays of a finished pass."""
    return kept.with_name(f"{kept.name}-whole")


def block_file(kept: Path, rows: slice) -> Path:
    """The file of the finished block of these rows."""
    return kept / f"block_{rows.start}.npz"


def block_of(open_work: OpenWork, tell: Tell, rows: slice, path: Path) -> Arrays:
    """A finished block; computed again if another process with the same pass finished and removed it."""
    found = read_npz(path)
    return open_work()(tell(rows)) if found is None else found


def share_blocks(open_work: OpenWork, n: int, *, block: int, kept: Path, rank: int, processes: int) -> None:
    """Carry out one process's share of a pass: every `processes`-th block, from the `rank`-th on.

    Once all processes are done, a pass with the same `kept` in one of them finds every block finished. The
    folder must be on a file system that all processes share.

    Args:
        open_work: opens the model and the data.
        n: number of rows.
        block: rows per block.
        kept: as for `run_blocks`.
        rank: number of this process, from 0.
        processes: number of processes.
    """
    blocks = blocks_of(n, block)
    numbers = range(rank, len(blocks), processes)
    own = {i: blocks[i] for i in numbers if read_npz(block_file(kept, blocks[i])) is None}
    for i, answer in local_answers(open_work, own):
        write_npz(block_file(kept, blocks[i]), **answer)


def local_answers(open_work: OpenWork, told: Mapping[int, Any]) -> Iterator[tuple[int, Arrays]]:
    """The number and answers of each block, computed one after the other in this process.

    Args:
        open_work: opens the model and the data.
        told: by the number of each block, the argument of the work.
    """
    work = open_work() if told else None
    for i, what in told.items():
        assert work is not None
        yield i, work(what)
