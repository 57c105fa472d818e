"""Passes over many images, a block at a time: here, or on the workers of a Ray cluster.

What a pass does with a block is the same function in both cases, on blocks with the same bounds, so the
answers are the same. Each finished block is kept until the pass is complete: a pass that is stopped goes on
where it was.
"""

import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import read_npz, write_npz
from deepsight.core.progress import Log, Progress
from deepsight.model.predict import blocks_of

Arrays = Mapping[str, np.ndarray]
Work = Callable[[slice], Arrays]  # what is done with some rows
OpenWork = Callable[[], Work]  # opens the model and the data once per worker

LOCAL, RAY = "local", "ray"


def require_engine(engine: str) -> None:
    """Refuse an engine that is not known, or whose library is absent.

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
    """The answers for n rows, in their order.

    Args:
        open_work: opens the model and the data; with Ray it is sent to every worker.
        n: number of rows.
        block: rows at a time.
        engine: "local", "ray" for a cluster on this machine or the one that RAY_ADDRESS names, or
            "ray://HOST:PORT".
        kept: a folder for finished blocks, named after all that the answers depend on; it is removed at the
            end.
        name: of the pass, for the progress.
        log: receives the progress.

    Returns:
        The arrays that the work gives, joined.

    Raises:
        DeepSightError: Ray is not installed, or the work cannot be sent to its workers.
    """
    blocks = blocks_of(n, block)
    paths = [kept / f"block_{rows.start}.npz" for rows in blocks]
    done = {i: found for i, path in enumerate(paths) if (found := read_npz(path)) is not None}
    missing = [i for i in range(len(blocks)) if i not in done]
    progress = Progress(name, n, log)
    finished = sum(blocks[i].stop - blocks[i].start for i in done)
    answers = (
        local_answers(open_work, blocks, missing)
        if engine == LOCAL
        else ray_answers(open_work, blocks, missing, engine)
    )
    for i, answer in answers:
        done[i] = dict(answer)
        if len(blocks) > 1:
            write_npz(paths[i], **answer)
        finished += blocks[i].stop - blocks[i].start
        progress.done(finished)
    shutil.rmtree(kept, ignore_errors=True)
    return {key: np.concatenate([done[i][key] for i in range(len(blocks))]) for key in done[0]}


def local_answers(
    open_work: OpenWork, blocks: list[slice], missing: list[int]
) -> Iterator[tuple[int, Arrays]]:
    """The missing blocks, one after the other in this process."""
    work = open_work() if missing else None
    for i in missing:
        assert work is not None
        yield i, work(blocks[i])


class BlockWorker:
    """A worker on a Ray cluster: it opens the work once and keeps it."""

    def __init__(self, open_work: OpenWork, blocks: list[slice]) -> None:
        self._work, self._blocks = open_work(), blocks

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The answers for one block, packed: blocks may differ in length."""
        i = int(batch["id"][0])
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **self._work(self._blocks[i]))
        return {"id": np.array([i]), "content": np.array([content.getvalue()], dtype=object)}


def ray_answers(
    open_work: OpenWork, blocks: list[slice], missing: list[int], engine: str
) -> Iterator[tuple[int, Arrays]]:
    """The missing blocks, from an actor pool; a worker that dies costs its block, which another does again.

    Raises:
        DeepSightError: Ray is not installed, or the work cannot be sent to its workers.
    """
    if not missing:
        return
    ray = ray_library()
    if not ray.is_initialized():
        ray.init(
            address=os.environ.get("RAY_ADDRESS") if engine == RAY else engine,
            include_dashboard=False, log_to_driver=False, configure_logging=False,
        )  # fmt: skip
    ray.data.DataContext.get_current().enable_progress_bars = False
    most = min(max(1, int(ray.cluster_resources().get("CPU", 1))), len(missing))
    items = ray.data.from_items([{"id": i} for i in missing], override_num_blocks=len(missing))
    try:
        passed = items.map_batches(
            BlockWorker, batch_size=1, fn_constructor_args=(open_work, blocks), num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        )  # fmt: skip
        for batch in passed.iter_batches(batch_size=1, prefetch_batches=0):
            with np.load(io.BytesIO(batch["content"][0]), allow_pickle=False) as found:
                yield int(batch["id"][0]), {name: found[name] for name in found.files}
    except (TypeError, ray.exceptions.RayError) as error:
        said = str(getattr(error, "cause", None) or error).strip().splitlines()
        raise DeepSightError(
            f"Expected a pass over the images on Ray, but: {said[-1] if said else type(error).__name__}. "
            "With --engine local it runs on this machine."
        ) from error


def ray_library() -> Any:
    """Ray with its data library; it reports nothing to its makers.

    Raises:
        DeepSightError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DeepSightError(
            "Expected the library Ray for --engine ray, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[ray]'"
        ) from error
    return ray
