"""A pass gives the same here and on Ray, goes on where it was stopped, and survives a worker's death."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import made_passes
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import silent
from deepsight.core.run import Run
from deepsight.workflows.block_passes import require_engine, run_blocks
from deepsight.workflows.examine.examine_model import open_run_answers
from made_passes import open_counted, open_mortal_answers

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


@pytest.mark.parametrize("engine", ["spark", "", "ray:head"])
def test_an_engine_that_nobody_knows_is_refused(engine: str) -> None:
    with pytest.raises(UsageError, match="local, ray"):
        require_engine(engine)


@pytest.mark.slow
@pytest.mark.study
def test_ray_gives_the_same_tables_though_a_worker_dies(
    trained_run: Run, cifar10: tuple[Dataset, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support = Path(made_passes.__file__).parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(support), os.environ.get("PYTHONPATH", "")]))
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    data = cifar10[1].select(np.arange(N))
    mark = tmp_path / "died"
    here = run_blocks(
        partial(open_run_answers, trained_run.path, data), N, block=100, kept=tmp_path / "a", name="images",
        log=silent,
    )  # fmt: skip
    try:
        there = run_blocks(
            partial(open_mortal_answers, trained_run.path, data, mark, 100), N, block=100, engine="ray",
            kept=tmp_path / "b", name="images", log=silent,
        )  # fmt: skip
        with pytest.raises(DeepSightError, match="--engine local"):
            run_blocks(
                partial(open_run_answers, tmp_path / "absent", data), N, block=100, engine="ray",
                kept=tmp_path / "c", name="images", log=silent,
            )  # fmt: skip
    finally:
        ray.shutdown()
    assert mark.exists()
    assert set(there) == set(here)
    for name, values in here.items():
        assert np.array_equal(there[name], values), name
