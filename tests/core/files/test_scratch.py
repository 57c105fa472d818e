"""Large arrays lie in temporary files, and hold what those in memory hold."""

import errno
import os

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.files import scratch
from deepsight.core.files.scratch import scratch_array, scratch_rows, scratch_taken

ROWS = np.random.default_rng(0).standard_normal((1000, 7)).astype(np.float32)


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", 100)


def lies_in_a_file(array: np.ndarray) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def test_small_arrays_stay_in_memory() -> None:
    assert not lies_in_a_file(scratch_array((10, 3), np.float32))


def test_large_arrays_lie_in_a_file_without_a_name(
    on_disk: None, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    array = scratch_array(ROWS.shape, ROWS.dtype)
    array[:] = ROWS
    assert lies_in_a_file(array)
    np.testing.assert_array_equal(array, ROWS)
    assert os.name == "nt" or not list(tmp_path.iterdir())


def test_an_array_of_exactly_the_limit_stays_in_memory(on_disk: None) -> None:
    assert not lies_in_a_file(scratch_array((25,), np.float32))
    assert lies_in_a_file(scratch_array((26,), np.float32))


def test_blocks_become_one_array(on_disk: None) -> None:
    blocks = [ROWS[:300], ROWS[300:301], ROWS[301:]]
    found = scratch_rows(iter(blocks), len(ROWS))
    assert lies_in_a_file(found)
    np.testing.assert_array_equal(found, ROWS)


def test_a_row_that_is_not_there_is_an_error(on_disk: None) -> None:
    with pytest.raises(IndexError):
        scratch_taken(ROWS, np.array([len(ROWS)]))


@pytest.mark.parametrize("blocks", [[], [ROWS[:10]]])
def test_missing_rows_are_an_error(blocks: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="Expected 1000 rows"):
        scratch_rows(blocks, 1000)


def test_rows_are_taken_in_their_order(on_disk: None) -> None:
    rows = np.random.default_rng(1).permutation(len(ROWS))[:400]
    found = scratch_taken(ROWS, rows)
    assert lies_in_a_file(found)
    np.testing.assert_array_equal(found, ROWS[rows])


def test_a_full_disk_is_said_before_anything_is_written(
    on_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(DeepSightError, match="Free some space"):
        scratch_array((1000,), np.float32)


def test_room_is_reserved_without_the_system_call(on_disk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(scratch, "STEP", 1000)
    array = scratch_array((1234,), np.uint8)
    assert lies_in_a_file(array)
    assert not array.any()
