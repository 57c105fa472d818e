"""Blocks of a pass on the workers of a Ray cluster."""

import io
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from deepsight.core.errors import DeepSightError
from deepsight.workflows.passes.work import Arrays, OpenWork

RAY = "ray"


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
        join_cluster(ray, os.environ.get("RAY_ADDRESS") if engine == RAY else engine)
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


def join_cluster(ray: Any, address: str | None) -> None:
    """Connect to a cluster, or start one on this machine where there is no address.

    Raises:
        DeepSightError: it does not answer, or does not start.
    """
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except Exception as error:  # Ray raises errors of many kinds, some of them plain
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        where = "on this machine" if address is None else f"at {address}"
        raise DeepSightError(
            f"Expected a Ray cluster {where}, but: {said} With --engine local no cluster is needed."
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
