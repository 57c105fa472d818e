"""Blocks of a pass on the workers of a Ray cluster."""

import io
import os
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.workflows.passes.block_work import Arrays, OpenWork
from deepsight.workflows.passes.ray_start import join_cluster, ray_library

RAY = "ray"


class BlockWorker:
    """A worker on a Ray cluster, which opens the work once."""

    def __init__(self, open_work: OpenWork) -> None:
        self._work = open_work()

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The answers for one block, packed as bytes, since blocks may differ in length."""
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **self._work(pickle.loads(batch["told"][0])))
        return {"id": batch["id"], "content": np.array([content.getvalue()], dtype=object)}


def ray_answers(
    open_work: OpenWork, told: Mapping[int, Any], engine: str, log: Log
) -> Iterator[tuple[int, Arrays]]:
    """The number and answers of each block from a pool of actors; a lost block is computed by another worker.

    Args:
        open_work: opens the model and the data; it is sent to every worker.
        told: by the number of each block, the argument of the work; it is sent to one worker only.
        engine: "ray" or "ray://HOST:PORT".
        log: receives a line if Ray must be started again.

    Raises:
        DeepSightError: Ray is not installed, or the work cannot be sent to its workers.
    """
    if not told:
        return
    ray = ray_library()
    if not ray.is_initialized():
        join_cluster(ray, os.environ.get("RAY_ADDRESS") if engine == RAY else engine, log)
    ray.data.DataContext.get_current().enable_progress_bars = False
    most = min(max(1, int(ray.cluster_resources().get("CPU", 1))), len(told))
    rows = [{"id": i, "told": pickle.dumps(what)} for i, what in told.items()]
    items = ray.data.from_items(rows, override_num_blocks=len(rows))
    try:
        passed = items.map_batches(
            BlockWorker, batch_size=1, fn_constructor_args=(open_work,), num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        )  # fmt: skip
        for batch in passed.iter_batches(batch_size=1, prefetch_batches=0):
            with np.load(io.BytesIO(batch["content"][0]), allow_pickle=False) as found:
                yield int(batch["id"][0]), {name: found[name] for name in found.files}
    except (TypeError, RuntimeError, pickle.PicklingError, ray.exceptions.RayError) as error:
        said = str(getattr(error, "cause", None) or error).strip().splitlines()
        raise DeepSightError(
            f"Expected a pass over the images on Ray, but: {said[-1] if said else type(error).__name__}. "
            "With --engine local it runs on this machine."
        ) from error
