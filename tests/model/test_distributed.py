"""Two processes give the metrics of one with the same global batch, and share one cache."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepsight.core.recipe import Recipe
from distributed_training import training_of

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "support" / "distributed_training.py"
# MixUp across the batch and hard rows by known losses: both need what the other process did. The rate is low
# because a choice of rows enlarges differences in rounding, and the faster a model changes, the more.
RECIPE = {
    "resolution": 32, "epochs": 3.0, "views": 2, "batch": 32, "seed": 3, "learning_rate": 1e-4,
    "mix": "mixup", "mix_alpha": 1.0, "hard_share": 0.6,
}  # fmt: skip


def launch(folder: Path, processes: int) -> list[dict[str, Any]]:
    """Run the script in this many processes on the CPU and read what each wrote."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        environment.pop(name, None)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, f"--nproc-per-node={processes}", str(SCRIPT), str(folder), json.dumps(RECIPE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    files = [folder / f"result-{processes}-{rank}.json" for rank in range(processes)]
    return [json.loads(file.read_text()) for file in files]


@pytest.fixture(scope="module")
def results(tmp_path_factory, splits):
    folder = tmp_path_factory.mktemp("distributed")
    arrays = {}
    for name, data in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
        arrays |= {f"{name}_images": data.pixels(), f"{name}_labels": data.labels, f"{name}_ids": data.ids}
    np.savez(folder / "rows.npz", **arrays)
    return training_of(splits, Recipe(**RECIPE), folder), launch(folder, 2), folder


def test_every_process_and_every_number_of_them_tells_the_same_history(results):
    alone, together, _ = results
    assert [r["processes"] for r in together] == [2, 2]
    for result in together:
        # The frozen phase, a pass of 6 steps over all rows, then 12 steps in passes of 3 over the hard ones.
        assert len(result["history"]) == len(alone["history"]) == 6
        for ours, theirs in zip(result["history"], alone["history"], strict=True):
            assert ours["phase"] == theirs["phase"]
            assert ours["val_macro_f1"] == pytest.approx(theirs["val_macro_f1"], abs=0.03)
            for name in ("epoch", "lr_base", "lr_head"):
                assert ours[name] == pytest.approx(theirs[name], rel=1e-9)
            for name in ("train_loss", "val_loss"):
                assert ours[name] == pytest.approx(theirs[name], rel=1e-3)


def test_the_model_is_the_same_to_rounding(results):
    alone, together, _ = results
    one, first, second = (np.array(r["logits"]) for r in (alone, *together))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - one).max() < 0.001 * np.abs(one).max()
    assert (first.argmax(1) == one.argmax(1)).mean() > 0.95


def test_each_view_is_filled_once_by_the_first_process(results):
    _, together, folder = results
    assert [r["filled"] for r in together] == [[0, 1], []]
    assert sorted(p.name for p in folder.glob("cache-2/*/*.npy")) == ["view-0.npy", "view-1.npy"]
