"""The coarse views of very many images lie on disk, and say the same as those in memory."""

import numpy as np
import pytest
import torch

from deepsight.core.files import scratch
from deepsight.scrub.duplicates import matching
from deepsight.scrub.duplicates.matching import Matcher, coarse_views

N = 300


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """Clouds, of which the last ten are darker copies of the first."""
    rng = np.random.default_rng(0)
    cells = torch.from_numpy(rng.integers(0, 256, (N, 3, 8, 8)).astype(np.float32))
    made = torch.nn.functional.interpolate(cells, scale_factor=3, mode="bilinear")
    made[-10:] = made[:10] * 0.8
    return made


def test_views_on_disk_are_those_in_memory(pictures, monkeypatch) -> None:
    def read(rows):
        return pictures[torch.as_tensor(rows)]

    here = coarse_views(read, N)
    monkeypatch.setattr(scratch, "IN_MEMORY", here.nbytes - 1)
    there = coarse_views(read, N)
    assert isinstance(there.base, np.memmap)
    assert there.shape == (N, 2, 16, 16)
    np.testing.assert_array_equal(there, here)


@pytest.mark.slow
def test_matches_are_the_same_wherever_the_views_lie(pictures, monkeypatch) -> None:
    def found() -> matching.Matches:
        matcher = Matcher(lambda rows: pictures[torch.as_tensor(rows)], N, seed=0)
        return matcher.register(*matcher.candidates(None))

    here = found()
    monkeypatch.setattr(scratch, "IN_MEMORY", 1)
    there = found()
    np.testing.assert_array_equal(there.i, here.i)
    np.testing.assert_array_equal(there.score, here.score)
    copies = set(zip(range(10), range(N - 10, N), strict=True))
    best = here.take(np.flatnonzero(here.score > 0.9))
    assert set(zip(best.i.tolist(), best.j.tolist(), strict=True)) == copies
