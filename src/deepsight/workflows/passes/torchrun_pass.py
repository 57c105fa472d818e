"""A pass over images that all processes of torchrun share."""

import secrets

import numpy as np
from lightning_fabric import Fabric

from deepsight.core.progress import Log
from deepsight.workflows.passes.block_passes import run_blocks, share_blocks
from deepsight.workflows.passes.block_work import OpenWork, kept_folder


def shared_pass(
    open_work: OpenWork, n: int, *, block: int, name: str, fabric: Fabric, log: Log
) -> dict[str, np.ndarray] | None:
    """The answers for n rows in the first process; None in the others, once they have done their share.

    Every process must call it. Each carries out every `world_size`-th block and stores it in the cache, which
    all of them share. A single process computes all rows at once and stores nothing.

    Args:
        open_work: opens the model and the data, which must be the same in all processes.
        n: number of rows.
        block: rows per block.
        name: of the pass, for the progress.
        fabric: the processes.
        log: receives the progress.
    """
    if fabric.world_size == 1:
        return dict(open_work()(slice(0, n)))
    mark = fabric.broadcast(secrets.token_hex(8))  # keeps blocks of different trainings apart
    kept = kept_folder("shared", mark)
    share_blocks(
        open_work, n, block=block, kept=kept, rank=fabric.global_rank, processes=fabric.world_size
    )  # fmt: skip
    fabric.barrier()
    if not fabric.is_global_zero:
        return None
    return run_blocks(open_work, n, block=block, kept=kept, name=name, log=log)
