"""Images on disk: what numpy reads, by every kind of index, with bounded memory."""

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepsight.core.dataset import Dataset, Images
from deepsight.core.errors import DeepSightError
from deepsight.obtain.decoding.image_store import StoredImages, write_images
from deepsight.obtain.sources import SourceError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (11, 6, 5, 3), dtype=np.uint8)


@pytest.fixture
def stored(pixels, tmp_path):
    write_images(tmp_path / "a.npy", [pixels[:4], pixels[4:5], pixels[5:]], image_shape=(6, 5, 3))
    return StoredImages(tmp_path / "a.npy")


def test_batches_are_one_file_that_numpy_itself_reads(pixels, tmp_path):
    n, digest = write_images(tmp_path / "a.npy", iter([pixels[:4], pixels[4:]]), image_shape=(6, 5, 3))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), pixels)
    assert (n, digest) == (11, hashlib.sha256(pixels.tobytes()).hexdigest())


@pytest.mark.parametrize(
    "rows",
    [
        3,
        -1,
        slice(None),
        slice(2, 9, 3),
        np.array([7, 0, 7]),
        [1, 2],
        np.array([], np.int64),
        np.arange(11) > 5,
    ],
)
def test_it_is_indexed_as_an_array_is(stored, pixels, rows):
    np.testing.assert_array_equal(stored[rows], pixels[rows])


def test_it_is_what_a_data_set_holds(stored, pixels):
    assert isinstance(stored, Images)
    data = Dataset(stored, np.arange(11) % 2, ("a", "b"), np.arange(11), "all")
    np.testing.assert_array_equal(data.select(np.array([9, 2])).select(np.array([1])).pixels(), pixels[[2]])
    np.testing.assert_array_equal(np.asarray(stored), pixels)
    assert (len(stored), stored.shape, stored.dtype) == (11, (11, 6, 5, 3), np.uint8)


def test_what_is_read_is_a_copy(stored, pixels):
    stored[0][:] = 0
    np.testing.assert_array_equal(stored[0], pixels[0])


def test_a_file_that_shrinks_while_in_use_is_an_error(stored):
    stored.path.write_bytes(stored.path.read_bytes()[:-1])
    with pytest.raises(DeepSightError, match="row 10 is gone"):
        stored[10]


def test_an_index_out_of_range_is_an_error(stored):
    with pytest.raises(IndexError):
        stored[11]


def test_it_travels_to_another_process(stored, pixels):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stored))[3:5], pixels[3:5])


def test_the_digest_is_of_the_pixels(stored, pixels):
    assert stored.sha256() == hashlib.sha256(pixels.tobytes()).hexdigest()


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def broken():
        yield np.zeros((1, 6, 5, 3), np.uint8)
        raise DeepSightError("stopped")

    with pytest.raises(DeepSightError, match="stopped"):
        write_images(tmp_path / "a.npy", broken(), image_shape=(6, 5, 3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_file_is_refused(stored, kept):
    stored.path.write_bytes(stored.path.read_bytes()[:kept])
    with pytest.raises(SourceError, match="is damaged"):
        StoredImages(stored.path)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2), np.uint8, order="F")])
def test_another_array_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(SourceError, match="is damaged"):
        StoredImages(tmp_path / "a.npy")


def test_no_file_is_said(tmp_path):
    with pytest.raises(SourceError, match="nothing is stored yet"):
        StoredImages(tmp_path / "a.npy")


# VmHWM starts anew with the program; ru_maxrss would start at the peak of the parent.
MEMORY = """
import sys
from pathlib import Path
import numpy as np
from deepsight.obtain.decoding.image_store import StoredImages, write_images
used = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
path, before = Path(sys.argv[1]), used()
write_images(path, (np.full((100, 64, 64, 3), i, np.uint8) for i in range(100)), image_shape=(64, 64, 3))
images = StoredImages(path)
images.sha256()
if sys.argv[2] == "mapped":
    images = np.load(path, mmap_mode="r")
assert sum(int(images[slice(i, i + 100)].max()) for i in range(0, 10_000, 100)) == sum(range(100))
print(used() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
@pytest.mark.slow
def test_memory_stays_bounded_while_all_of_it_is_written_and_read(tmp_path):
    """117 MB of images pass through; the control, a map that stays open, counts them all."""

    def grown(kind):
        command = [sys.executable, "-c", MEMORY, str(tmp_path / "a.npy"), kind]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert grown("stored") < 40
    assert grown("mapped") > 100
